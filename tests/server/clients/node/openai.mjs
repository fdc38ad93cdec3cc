import { load, main, CITY, QUESTION, RESULT } from "./main.mjs";

const { OpenAI } = load("openai");
const { zodResponseFormat, zodTextFormat } = load("openai/helpers/zod");
const { z } = load("zod");

const asked = [{ role: "user", content: QUESTION }];
const weather = { name: "weather", description: "The weather.", parameters: CITY };
const City = z.object({ city: z.string() });

function ofChat(client) {
  const ask = (body, options) =>
    client.chat.completions.create({ model: "script", messages: asked, ...body }, options);
  return {
    async chat() {
      return { text: (await ask()).choices[0].message.content };
    },
    async stream() {
      const texts = [];
      for await (const chunk of await ask({ stream: true })) {
        texts.push(chunk.choices[0].delta.content ?? "");
      }
      const runner = client.chat.completions.stream({ model: "script", messages: asked });
      const helped = (await runner.finalChatCompletion()).choices[0].message.content;
      return { texts: texts.filter((text) => text), helped };
    },
    async reasoning() {
      return { reasoning: (await ask()).choices[0].message.reasoning };
    },
    async tools() {
      const tools = [{ type: "function", function: weather }];
      const { message } = (await ask({ tools })).choices[0];
      const [call] = message.tool_calls;
      const result = { role: "tool", tool_call_id: call.id, content: RESULT };
      const last = await ask({ tools, messages: [...asked, message, result] });
      return {
        name: call.function.name,
        args: JSON.parse(call.function.arguments),
        text: last.choices[0].message.content,
      };
    },
    async structured() {
      const answer = await client.chat.completions.parse({
        model: "script",
        messages: asked,
        response_format: zodResponseFormat(City, "city"),
      });
      return answer.choices[0].message.parsed;
    },
    async errors() {
      return await ask({ temperature: -1 }).catch(({ status, param }) => ({ status, param }));
    },
    async abort() {
      const stream = await ask({ stream: true });
      for await (const chunk of stream) break;
      return {};
    },
  };
}

function ofResponses(client) {
  const ask = (body) => client.responses.create({ model: "script", input: QUESTION, ...body });
  return {
    async chat() {
      return { text: (await ask()).output_text };
    },
    async stream() {
      const texts = [];
      for await (const event of await ask({ stream: true })) {
        if (event.type === "response.output_text.delta") texts.push(event.delta);
      }
      const helper = client.responses.stream({ model: "script", input: QUESTION });
      return { texts, helped: (await helper.finalResponse()).output_text };
    },
    async reasoning() {
      const { output } = await ask();
      return { reasoning: output.find((item) => item.type === "reasoning").content[0].text };
    },
    async tools() {
      const tools = [{ type: "function", strict: true, ...weather }];
      const { output } = await ask({ tools });
      const call = output.find((item) => item.type === "function_call");
      const result = { type: "function_call_output", call_id: call.call_id, output: RESULT };
      const last = await ask({ tools, input: [...asked, ...output, result] });
      return { name: call.name, args: JSON.parse(call.arguments), text: last.output_text };
    },
    async structured() {
      const format = zodTextFormat(City, "city");
      const answer = await client.responses.parse({
        model: "script",
        input: QUESTION,
        text: { format },
      });
      return answer.output_parsed;
    },
    async errors() {
      return await ask({ temperature: -1 }).catch(({ status, param }) => ({ status, param }));
    },
    async abort() {
      for await (const event of await ask({ stream: true })) {
        if (event.type === "response.output_text.delta") break;
      }
      return {};
    },
  };
}

await main((protocol, baseURL) => {
  const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
  return protocol === "chat" ? ofChat(client) : ofResponses(client);
});
