import { load, main, QUESTION, RESULT } from "./main.mjs";

const { generateText, Output, stepCountIs, streamText, tool } = load("ai");
const { createOpenAI } = load("@ai-sdk/openai");
const { createOpenAICompatible } = load("@ai-sdk/openai-compatible");
const { z } = load("zod");

const schema = z.object({ city: z.string() });
const calls = [];
const weather = tool({
  description: "The weather of a city.",
  inputSchema: schema,
  async execute(args) {
    calls.push({ name: "weather", args });
    return RESULT;
  },
});

await main((protocol, baseURL) => {
  const given = { baseURL, apiKey: "none", name: "ours", supportsStructuredOutputs: true };
  const model =
    protocol === "chat"
      ? createOpenAICompatible(given)("script")
      : createOpenAI(given).responses("script");
  const asked = { model, prompt: QUESTION, maxRetries: 0 };
  return {
    async chat() {
      return { text: (await generateText(asked)).text };
    },
    async stream() {
      const result = streamText(asked);
      const texts = [];
      for await (const text of result.textStream) texts.push(text);
      return { texts, helped: await result.text };
    },
    async reasoning() {
      const { reasoningText } = await generateText(asked);
      return { reasoning: reasoningText, streamed: await streamText(asked).reasoningText };
    },
    async tools() {
      const options = { ...asked, tools: { weather }, stopWhen: stepCountIs(3) };
      return { text: (await generateText(options)).text, ...calls[0] };
    },
    async structured() {
      return (await generateText({ ...asked, output: Output.object({ schema }) })).output;
    },
    async errors() {
      const { statusCode, data } = await generateText({ ...asked, temperature: -1 }).catch((e) => e);
      return { status: statusCode, param: data.error.param };
    },
    async abort() {
      const controller = new AbortController();
      const result = streamText({ ...asked, abortSignal: controller.signal });
      for await (const text of result.textStream) controller.abort();
      return {};
    },
  };
});
