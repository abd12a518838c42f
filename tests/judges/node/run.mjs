// Plays scenarios of the clients of OpenAI's API for node, one after the other.
//
// A line of stdin is {"scenario": "FILE.NAME", "baseURL", "model", …}; the answer is a line of stdout, {"returned": …} or
// {"thrown": {…}}. The line {"leave": true} aborts the `signal` that the scenario was given. Owns: that exchange. Never here: what a client is asked for (the files beside this one), assertions.

import { createInterface } from "node:readline";

// What a caller learns of an error, whichever client has thrown it. The AI SDK wraps the last one of those it tried.
function facts({ constructor, message, status, statusCode, code, param, headers, responseHeaders, lastError, data }) {
  const found = headers?.get ? Object.fromEntries(headers) : responseHeaders;
  const last = lastError && facts(lastError);
  return { name: constructor.name, message, status: status ?? statusCode, code: code ?? data?.error?.code, param, headers: found, last };
}

async function play({ scenario, ...asked }) {
  const [file, name] = scenario.split(".");
  try {
    const scenarios = await import(`./${file}.mjs`);
    return { returned: (await scenarios[name](asked)) ?? null };
  } catch (error) {
    return { thrown: facts(error) };
  }
}

let controller;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.leave) {
    controller.abort();
    continue;
  }
  controller = new AbortController();
  const answer = play({ ...asked, signal: controller.signal });
  answer.then((found) => process.stdout.write(`${JSON.stringify(found)}\n`));
}
