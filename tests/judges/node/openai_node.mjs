// The official client for node: chats. Each function is a scenario of `run.mjs`; what it returns is what came back.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

export const WEATHER = {
  name: "get_weather",
  description: "The weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const TOOLS = [{ type: "function", function: WEATHER }];
const user = (content) => ({ role: "user", content });
export const clientOf = ({ baseURL, maxRetries }) => new OpenAI({ baseURL, apiKey: "any", maxRetries });

export async function chat({ model, text, system, more = {}, ...asked }) {
  const messages = [{ role: "system", content: system ?? "Be terse." }, user(text)];
  return clientOf(asked).chat.completions.create({ model, messages, ...more });
}

export async function stream({ model, text, more = {}, ...asked }) {
  const body = { model, messages: [user(text)], stream: true, ...more };
  const chunks = [];
  try {
    for await (const chunk of await clientOf(asked).chat.completions.create(body)) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    if (chunks.length === 0) throw error;
    return { chunks, error: { name: error.constructor.name, message: error.message, code: error.code } };
  }
}

export async function streamHelper({ model, text, ...asked }) {
  const runner = clientOf(asked).chat.completions.stream({
    model,
    messages: [user(text)],
    stream_options: { include_usage: true },
  });
  const deltas = [];
  runner.on("content", (delta) => deltas.push(delta));
  return { deltas, final: await runner.finalChatCompletion(), usage: await runner.totalUsage() };
}

// Ask, answer the calls, ask on: by hand, so that what goes back is what came.
export async function tools({ model, text, isStream = false, ...asked }) {
  const client = clientOf(asked);
  const body = { model, messages: [user(text)], tools: TOOLS };
  const ask = async (messages) => {
    if (!isStream) return client.chat.completions.create({ ...body, messages });
    return client.chat.completions.stream({ ...body, messages }).finalChatCompletion();
  };
  const first = await ask(body.messages);
  const message = first.choices[0].message;
  const results = message.tool_calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: `rain in ${JSON.parse(call.function.arguments).city}`,
  }));
  const second = await ask([...body.messages, message, ...results]);
  const third = await ask([...body.messages, message, ...results, second.choices[0].message, user("say more")]);
  return { answers: [first, second, third] };
}

export async function runTools({ model, text, ...asked }) {
  const called = [];
  const weather = {
    ...WEATHER,
    parse: JSON.parse,
    function: (given) => {
      called.push(given);
      return `rain in ${given.city}`;
    },
  };
  const runner = clientOf(asked).chat.completions.runTools({
    model,
    messages: [user(text)],
    tools: [{ type: "function", function: weather }],
  });
  return { content: await runner.finalContent(), called, roles: runner.messages.map(({ role }) => role) };
}

export async function namedTool({ model, text, ...asked }) {
  const tool_choice = { type: "function", function: { name: WEATHER.name } };
  return clientOf(asked).chat.completions.create({ model, messages: [user(text)], tools: TOOLS, tool_choice });
}

export const Person = z.object({ name: z.string(), age: z.number(), nick: z.string().nullable() });

export async function parse({ model, text, isStream = false, ...asked }) {
  const completions = clientOf(asked).chat.completions;
  const body = { model, messages: [user(text)], response_format: zodResponseFormat(Person, "person") };
  const answer = isStream ? await completions.stream(body).finalChatCompletion() : await completions.parse(body);
  return answer.choices[0].message.parsed;
}

// Asks until `signal` says that it leaves. A stream that has begun then ends without an error: such is this client.
export async function leave({ model, text, isStream, signal, ...asked }) {
  try {
    const body = { model, messages: [user(text)], stream: isStream };
    const answer = await clientOf(asked).chat.completions.create(body, { signal });
    if (isStream) for await (const chunk of answer) void chunk;
  } catch (error) {
    return { name: error.constructor.name };
  }
  return { name: signal.aborted ? "end" : "answer" };
}

// Leaves a stream as one leaves a loop.
export async function breakOff({ model, text, ...asked }) {
  for await (const chunk of await clientOf(asked).chat.completions.create({
    model,
    messages: [user(text)],
    stream: true,
  })) {
    if (chunk.choices[0].delta.content) break;
  }
}

export async function models({ model, ...asked }) {
  const client = clientOf(asked);
  const names = [];
  for await (const each of client.models.list()) names.push(each.id);
  return { names, one: await client.models.retrieve(model) };
}
