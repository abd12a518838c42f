/** The login's limits as bars, and the tokens of the last days as a plot. */

import { ApiError, get } from "../api.js";
import { byId, el, fill, setText, svg } from "../dom.js";
import { store } from "../store.js";
import { daysOf, plotOf } from "../text/plot.js";
import { counted, tokens, windowWords } from "../text/words.js";

const DAYS = 30;
const WIDEST = 760;
const NARROWEST = 300;
const HEIGHT = 160;
const LEFT = 48;
const BELOW = 18;

/** Show both. */
export async function showUsage() {
  byId("usage").hidden = false;
  await Promise.all([drawLimits(), drawPlot()]);
}

/** @returns {void} */
export function leaveUsage() {
  byId("usage").hidden = true;
}

async function drawLimits() {
  try {
    const { limits } = await get("limits");
    const bars = limits.flatMap((/** @type {any} */ limit) => (limit.windows ?? []).map((/** @type {any} */ window) => barNode(limit, window)));
    fill(byId("limits"), bars.length ? bars : el("p.dim", null, "The login reports no limits."));
  } catch (error) {
    const words = error instanceof ApiError && error.code === "no_limits" ? "There are no limits to show: only a ChatGPT login has them." : `The limits cannot be read: ${/** @type {Error} */ (error).message}`;
    fill(byId("limits"), el("p.dim", null, words));
  }
}

/** @param {any} limit @param {any} window @returns {Node} */
function barNode(limit, window) {
  const percent = Math.round(window.used_percent ?? 0);
  const name = [limit.name, windowWords(window.window_minutes) || window.name].filter(Boolean).join(", ") || "limit";
  const resets = window.resets_at ? ` · resets ${new Date(window.resets_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}` : "";
  const meter = el("meter", { min: 0, max: 100, high: 90, optimum: 0, low: 70, value: percent, "aria-label": `${name}: ${percent} % used` });
  return el("div.limit", null, el("span", null, el("bdi", null, name)), meter, el("span.dim", null, `${percent} % used${resets}`));
}

async function drawPlot() {
  try {
    const { groups = [] } = await get(`usage?since=${DAYS}d&by=day`);
    const today = new Date(Date.now() + (store.session.utc_offset_s ?? 0) * 1000).toISOString().slice(0, 10); // serve's time zone
    const days = daysOf(groups, today, DAYS);
    fill(byId("plot"), plotNode(days));
    const rows = days.filter((day) => day.turns).reverse();
    fill(byId("usage-rows"), rows.map((day) => el("tr", null, el("th", { scope: "row" }, day.day), el("td", null, day.turns), el("td", null, day.total))));
    const sum = days.reduce((total, day) => total + day.total, 0);
    const turns = days.reduce((total, day) => total + day.turns, 0);
    setText(byId("usage-sum"), `${counted(turns, "turn")}, ${tokens(sum)} tokens in ${DAYS} days`);
  } catch (error) {
    fill(byId("plot"), el("p.dim", null, `The usage cannot be read: ${/** @type {Error} */ (error).message}`));
  }
}

/** @param {import("../text/plot.js").Day[]} days @returns {Node} */
function plotNode(days) {
  const width = Math.max(NARROWEST, Math.min(WIDEST, byId("plot").clientWidth || WIDEST)); // keeps text at normal size
  const plot = plotOf(days, width - LEFT, HEIGHT);
  const ticks = plot.ticks.map((tick) => [
    svg("line", { class: "grid", x1: LEFT, x2: width, y1: tick.y + 8, y2: tick.y + 8 }),
    svg("text", { x: LEFT - 6, y: tick.y + 12, "text-anchor": "end" }, tokens(tick.value)),
  ]);
  const bars = plot.bars.map((bar) =>
    svg("rect", { class: "bar", x: bar.x + LEFT, y: bar.y + 8, width: bar.width, height: bar.height },
      svg("title", null, `${bar.day.day}: ${tokens(bar.day.total)} tokens, ${counted(bar.day.turns, "turn")}`)),
  );
  const labels = [0, Math.floor(days.length / 2), days.length - 1].map((index, which) =>
    svg("text", { x: LEFT + plot.bars[index].x + (which === 2 ? plot.bars[index].width : 0), y: HEIGHT + 8 + BELOW, "text-anchor": which === 2 ? "end" : "start" }, days[index].day.slice(5)),
  );
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT + 12 + BELOW}`, role: "img", "aria-label": `tokens per day of the last ${days.length} days; the table below has the figures` }, ticks, bars, labels);
}
