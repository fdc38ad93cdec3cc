import { load, main, QUESTION, RESULT } from "./main.mjs";

const { Agent, OpenAIProvider, Runner, tool } = load("@openai/agents");
const { z } = load("zod");

const City = z.object({ city: z.string() });
const calls = [];
const weather = tool({
  name: "weather",
  description: "The weather of a city.",
  parameters: City,
  async execute(args) {
    calls.push({ name: "weather", args });
    return RESULT;
  },
});

// Of an item of reasoning, as chat completions and as responses give it.
const textOf = ({ rawContent, providerData }) => (rawContent ?? providerData.content)[0].text;

await main((protocol, baseURL) => {
  const modelProvider = new OpenAIProvider({
    baseURL,
    apiKey: "none",
    useResponses: protocol === "responses",
  });
  const runner = new Runner({ modelProvider, tracingDisabled: true });
  const agent = (options) => new Agent({ name: "helper", model: "script", ...options });
  const ask = (options) => runner.run(agent(options), QUESTION);
  return {
    async chat() {
      return { text: (await ask()).finalOutput };
    },
    async stream() {
      const result = await runner.run(agent(), QUESTION, { stream: true });
      const texts = [];
      for await (const event of result) {
        if (event.data?.type === "output_text_delta") texts.push(event.data.delta);
      }
      await result.completed;
      return { texts, helped: result.finalOutput };
    },
    async reasoning() {
      const items = (await ask()).newItems.filter((item) => item.type === "reasoning_item");
      return { reasoning: textOf(items[0].rawItem) };
    },
    async tools() {
      const { finalOutput } = await ask({ tools: [weather] });
      return { ...calls[0], text: finalOutput };
    },
    async structured() {
      return (await ask({ outputType: City })).finalOutput;
    },
    async errors() {
      const { status, param } = await ask({ modelSettings: { temperature: -1 } }).catch((e) => e);
      return { status, param };
    },
    async abort() {
      const controller = new AbortController();
      const options = { stream: true, signal: controller.signal };
      const result = await runner.run(agent(), QUESTION, options);
      try {
        for await (const event of result) {
          if (event.data?.type === "output_text_delta") controller.abort();
        }
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
      return {};
    },
  };
});
