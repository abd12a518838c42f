// The official client for node: responses, of which those in the background are turns. As `openai_node.mjs` otherwise.

import { ResponsesToolRunner } from "openai/helpers/responses-tool-runner";
import { zodTextFormat } from "openai/helpers/zod";

import { clientOf, Person, WEATHER } from "./openai_node.mjs";

const TOOLS = [{ type: "function", strict: false, ...WEATHER }];
const results = (output) =>
  output
    .filter(({ type }) => type === "function_call")
    .map(({ call_id, arguments: given }) => ({
      type: "function_call_output",
      call_id,
      output: `rain in ${JSON.parse(given).city}`,
    }));

// All events, and the error that ended them if there is one.
async function read(stream) {
  const events = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error: { name: error.constructor.name, message: error.message, code: error.code } };
  }
  return { events };
}

export async function create({ model, text: input, more = {}, ...asked }) {
  const response = await clientOf(asked).responses.create({ model, input, instructions: "Be terse.", ...more });
  return { ...response, output_text: response.output_text };
}

export async function stream({ model, text: input, more = {}, ...asked }) {
  return read(await clientOf(asked).responses.create({ model, input, stream: true, ...more }));
}

// The helper puts a response together from its events, and checks that they fit.
export async function streamHelper({ model, text: input, more = {}, ...asked }) {
  const runner = clientOf(asked).responses.stream({ model, input, ...more });
  const deltas = [];
  runner.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
  const final = await runner.finalResponse();
  return { deltas, final, output_text: final.output_text };
}

export async function parse({ model, text: input, isStream = false, ...asked }) {
  const { responses } = clientOf(asked);
  const body = { model, input, text: { format: zodTextFormat(Person, "person") } };
  return (isStream ? await responses.stream(body).finalResponse() : await responses.parse(body)).output_parsed;
}

// Ask, answer the calls, ask on: by the id of the answer before, or with all items again.
export async function tools({ model, text, isByItems = false, isStream = false, more = {}, ...asked }) {
  const { responses } = clientOf(asked);
  const items = [{ role: "user", content: text }];
  const answers = [];
  const ask = async (added) => {
    const before = answers.at(-1);
    if (before) items.push(...before.output);
    items.push(...added);
    const rest = isByItems || !before ? { input: items } : { input: added, previous_response_id: before.id };
    const body = { model, tools: TOOLS, ...more, ...rest };
    answers.push(isStream ? await responses.stream(body).finalResponse() : await responses.create(body));
  };
  await ask([]);
  await ask(results(answers[0].output));
  await ask([{ role: "user", content: "say more" }]);
  return { answers: answers.map((answer) => ({ ...answer, output_text: answer.output_text })) };
}

// The client's own loop of tools, which sends all items again each time.
export async function runTools({ model, text: input, isStream = false, ...asked }) {
  const called = [];
  const execute = (given) => {
    called.push(given);
    return `rain in ${given.city}`;
  };
  const runner = new ResponsesToolRunner({ functions: [{ tool: TOOLS[0], execute }] });
  const final = await runner.run(clientOf(asked), { model, input }, { stream: isStream });
  return { called, output_text: final.output_text };
}

// Asks until `signal` says that it leaves.
export async function leave({ model, text: input, isStream, signal, ...asked }) {
  try {
    const answer = await clientOf(asked).responses.create({ model, input, stream: isStream }, { signal });
    if (isStream) for await (const event of answer) void event;
  } catch (error) {
    return { name: error.constructor.name };
  }
  return { name: signal.aborted ? "end" : "answer" };
}

export async function begin({ model, text: input, more = {}, ...asked }) {
  return clientOf(asked).responses.create({ model, input, background: true, ...more });
}

// The same, followed from the beginning, and left after so many events.
export async function beginStreamed({ model, text: input, most, ...asked }) {
  const events = [];
  const stream = await clientOf(asked).responses.create({ model, input, background: true, stream: true });
  for await (const event of stream) {
    events.push(event);
    if (events.length === most) break;
  }
  return { events };
}

// Reads a response in the background until it has ended.
export async function wait({ id, ...asked }) {
  const { responses } = clientOf(asked);
  for (;;) {
    const response = await responses.retrieve(id);
    if (!["queued", "in_progress"].includes(response.status)) return { ...response, output_text: response.output_text };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function retrieve({ id, ...asked }) {
  return clientOf(asked).responses.retrieve(id);
}

// Follows from `after` on; `most`: leaves after so many events.
export async function follow({ id, after, most, ...asked }) {
  const stream = await clientOf(asked).responses.retrieve(id, { stream: true, starting_after: after });
  if (!most) return read(stream);
  const events = [];
  for await (const event of stream) {
    events.push(event);
    if (events.length === most) break;
  }
  return { events };
}

export async function followHelper({ id, after, ...asked }) {
  const runner = clientOf(asked).responses.stream({ response_id: id, starting_after: after });
  const numbers = [];
  runner.on("event", ({ sequence_number }) => numbers.push(sequence_number));
  const final = await runner.finalResponse();
  return { numbers, final, output_text: final.output_text };
}

export async function cancel({ id, ...asked }) {
  return clientOf(asked).responses.cancel(id);
}

export async function remove({ id, ...asked }) {
  await clientOf(asked).responses.delete(id);
}

export async function inputItems({ id, ...asked }) {
  const items = [];
  for await (const item of clientOf(asked).responses.inputItems.list(id)) items.push(item);
  return items;
}
