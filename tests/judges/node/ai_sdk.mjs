// The AI SDK, with each of its two providers for OpenAI's API. Each function is a scenario of `run.mjs`; `provider` says
// which: `compatible`, `chat` (of @ai-sdk/openai) or `responses` (its default).

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;

const Person = z.object({ name: z.string(), age: z.number(), nick: z.string().nullable() });

function modelOf({ provider, baseURL, model }) {
  if (provider !== "compatible") return createOpenAI({ baseURL, apiKey: "any" })[provider](model);
  const settings = { name: "codex", baseURL, apiKey: "any", includeUsage: true, supportsStructuredOutputs: true };
  return createOpenAICompatible(settings)(model);
}

const common = (asked) => ({ model: modelOf(asked), maxRetries: asked.maxRetries, ...asked.more });

export async function generate({ text: prompt, ...asked }) {
  const result = await generateText({ instructions: "Be terse.", prompt, ...common(asked) });
  const { text, reasoningText, finishReason, usage, warnings, finalStep } = result;
  return { text, reasoningText, finishReason, usage, warnings, headers: finalStep.response.headers };
}

export async function stream({ text: prompt, ...asked }) {
  const errors = [];
  const result = streamText({ prompt, onError: ({ error }) => void errors.push(error), ...common(asked) });
  const parts = [];
  for await (const { type, text } of result.stream) parts.push({ type, text });
  const said = (wanted) => parts.filter(({ type }) => type === wanted).map(({ text }) => text);
  const error = errors[0] && { ...errors[0], message: errors[0].message };
  const answered = !errors.length && { finishReason: await result.finishReason, usage: await result.usage };
  return { types: parts.map(({ type }) => type), text: said("text-delta"), reasoning: said("reasoning-delta"), error, ...answered };
}

function weatherTools(called) {
  return {
    get_weather: tool({
      description: "The weather of a city.",
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        called.push(city);
        return `rain in ${city}`;
      },
    }),
  };
}

// The model calls, the SDK runs the tool and asks on, until there is an answer.
export async function steps({ text: prompt, isStream = false, ...asked }) {
  const called = [];
  const settings = { prompt, tools: weatherTools(called), stopWhen: isStepCount(4), ...common(asked) };
  const result = isStream ? streamText(settings) : await generateText(settings);
  if (isStream) await result.consumeStream();
  const [text, made, usage] = [await result.text, await result.steps, await result.usage];
  return { text, called, finishReasons: made.map((step) => step.finishReason), usage };
}

export async function conversation({ prompts, ...asked }) {
  const messages = [];
  const texts = [];
  for (const content of prompts) {
    messages.push({ role: "user", content });
    const { text, finalStep } = await generateText({ messages, ...common(asked) });
    messages.push(...finalStep.response.messages);
    texts.push(text);
  }
  return texts;
}

export async function structured({ text: prompt, isStream = false, ...asked }) {
  const settings = { prompt, output: Output.object({ schema: Person }), ...common(asked) };
  if (!isStream) return (await generateText(settings)).output;
  const result = streamText(settings);
  await result.consumeStream();
  return result.output;
}

export async function object({ text: prompt, ...asked }) {
  const { object: found } = await generateObject({ prompt, schema: Person, ...common(asked) });
  return found;
}

export async function picture({ text, data, ...asked }) {
  const file = { type: "file", mediaType: "image/png", data };
  const content = [{ type: "text", text }, file];
  return (await generateText({ messages: [{ role: "user", content }], ...common(asked) })).text;
}

// Asks until `signal` says that it leaves.
export async function leave({ text: prompt, isStream, signal, ...asked }) {
  const settings = { prompt, abortSignal: signal, ...common(asked) };
  const types = [];
  try {
    if (isStream) for await (const { type } of streamText(settings).stream) types.push(type);
    else await generateText(settings);
  } catch (error) {
    types.push(error.name);
  }
  return types;
}
