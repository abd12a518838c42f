/**
 * The plot of tokens per day. Pure: groups of `GET /usage` in, bars in units of a view box out.
 */

/** @typedef {{day: string, turns: number, total: number}} Day
 *  @typedef {{x: number, y: number, width: number, height: number, day: Day}} Bar
 *  @typedef {{bars: Bar[], ticks: Array<{y: number, value: number}>, width: number, height: number}} Plot */

const DAY_MS = 86_400_000;

/**
 * @param {Array<{day?: string|null, turns?: number, total_tokens?: number}>} groups as received: without empty days
 * @param {string} today `2026-11-30`
 * @param {number} count how many days
 * @returns {Day[]} every day, oldest first, including days without turns
 */
export function daysOf(groups, today, count) {
  const known = new Map(groups.map((group) => [group.day, group]));
  const last = Date.parse(`${today}T00:00:00Z`);
  return Array.from({ length: count }, (_, index) => {
    const day = new Date(last - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    const group = known.get(day);
    return { day, turns: group?.turns ?? 0, total: group?.total_tokens ?? 0 };
  });
}

/**
 * @param {Day[]} days
 * @param {number} width
 * @param {number} height of the bars' area
 * @returns {Plot}
 */
export function plotOf(days, width, height) {
  const most = topOf(Math.max(1, ...days.map((day) => day.total)));
  const step = width / Math.max(1, days.length);
  const bars = days.map((day, index) => {
    const high = (day.total / most) * height;
    return { x: round(index * step + step * 0.1), y: round(height - high), width: round(step * 0.8), height: round(high), day };
  });
  const ticks = [0, 0.5, 1].map((part) => ({ y: round(height - part * height), value: part * most }));
  return { bars, ticks, width, height };
}

/** @param {number} value @returns {number} the next of 1, 2, 5, 10, 20 … */
export function topOf(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((each) => each * power >= value) ?? 10);
}

/** @param {number} value @returns {number} */
function round(value) {
  return Math.round(value * 100) / 100;
}
