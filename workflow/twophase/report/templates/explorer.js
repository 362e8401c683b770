"use strict";
// Draws every view from the arrays embedded once in #data. `state` is what the reader chose; `draw*` functions show it.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const METRICS = {
  C: "C, parameter dissimilarity",
  S: "S, kernel distance",
  B: "B, loss barrier",
  D: "D, disagreement",
};
const INK = "#1f2933", SOFT = "#7b8794", PICK = ["#0b5cad", "#b45309"]; // the two times of the chosen cell
const SWATCH = { dash: "8 5", dashdot: "8 3 2 3", dot: "2 3" }; // the lines of data.marks, for SVG
const START = { e: 0, s: 0, view: "fork", metric: "C", scale: data.scale, time: "linear", draw: 0, x: NaN, y: NaN, tau: 0, dt: 0 };
const CHOICES = { view: ["fork", "pair"], metric: Object.keys(METRICS), scale: ["claims", "log", "linear"], time: ["linear", "log"] };
const state = { ...START };
let hovered = null; // a cell [x, y] under the pointer, shown instead of the chosen one
const tables = {}; // plot -> rows of what it shows, for CSV

// Text ----------------------------------------------------------------------------------------------------------------

class Html {
  constructor(text) { this.text = text; }
}

/** A value as HTML that shows it; what is HTML already stays, a list is put together. */
function escaped(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(escaped).join("");
  return String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** HTML from a template: every string of the data in it is escaped. Nothing else goes into the page as HTML. */
const html = (parts, ...values) => new Html(parts.map((part, k) => part + (k < values.length ? escaped(values[k]) : "")).join(""));
const fill = (id, content) => { $(id).innerHTML = escaped(content); };

// Arrays --------------------------------------------------------------------------------------------------------------

/** Base64 of little-endian float32, as an array. */
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const cache = new WeakMap();
/** The column `name` of an embedded table, unpacked once. */
function column(table, name) {
  if (!cache.has(table)) cache.set(table, {});
  const columns = cache.get(table);
  columns[name] ??= numbers(table[name]);
  return columns[name];
}

/** Iterations and losses of a log. */
function curveOf(log) {
  const loss = column(log, "loss");
  return [Array.from(loss, (_, k) => log.start + k * log.every), loss];
}

const experiment = () => data.experiments[state.e];
const run = () => experiment().runs[state.s];
/** Unit of a distance, and one of its values as people write it. */
const share = (metric) => metric === "D" || (metric === "B" && experiment().barrier === "error");
const unitOf = (metric) => (share(metric) ? "% of the test set" : metric === "B" ? "nats" : "1 − cos");
const written = (metric, v) => (share(metric) ? show(100 * v, 2) : v > 0 && v < 1e-2 ? `10<sup>${Math.round(Math.log10(v))}</sup>`.replace("-", "−") : show(v, 2));
const show = (v, digits = 3) => (v === null || v === undefined || Number.isNaN(v) ? "–"
  : v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5) ? v.toExponential(digits - 1).replace("e-", "e−").replace("e+", "e")
  : String(Number(v.toPrecision(digits))));

/** Place of the pair (i, j), given as places on the axis, in the upper triangle of n times. */
function place(i, j, n) {
  const [a, b] = i < j ? [i, j] : [j, i];
  return a * n - (a * (a - 1)) / 2 + (b - a);
}

/** Value of a grid of pairs at two iterations; NaN where it was not computed. */
function pairValue(metric, ti, tj, of = run()) {
  const grid = of.grids[metric];
  if (!grid) return NaN;
  const i = grid.times.indexOf(ti), j = grid.times.indexOf(tj);
  return i < 0 || j < 0 ? NaN : column(grid, "values")[place(i, j, grid.times.length)];
}

/** Test accuracy of the base run at a checkpoint; NaN where it was not computed. */
function testAccuracy(time) {
  const scores = run().scores;
  const k = scores ? column(scores, "iteration").indexOf(time) : -1;
  return k < 0 ? NaN : column(scores, "test_accuracy")[k];
}

/** Place of the cell (t0, t1) of the chosen draw in the table of forks; -1 where there is none. */
function forkCell(t0, t1) {
  const f = run().forks;
  return f.t0.findIndex((t, k) => t === t0 && f.t1[k] === t1 && f.draw[k] === state.draw);
}

const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);

/** The axes of the shown grid and its value at two iterations. */
function shownGrid() {
  if (state.view === "fork") {
    const f = run().forks;
    const value = (t0, t1) => { const k = forkCell(t0, t1); return k < 0 ? NaN : column(f, state.metric)[k]; };
    return { xs: sorted(f.t0), ys: sorted(f.t1), value };
  }
  const times = run().grids[state.metric].times;
  return { xs: times, ys: times, value: (a, b) => pairValue(state.metric, a, b) };
}

/** A sentence that says so if a grid shows fewer times than its table has. */
function fewer(grid, what) {
  return grid.all > grid.times.length ? ` Shown are ${grid.times.length} of ${grid.all} ${what}, evenly spaced; the Parquet file has all of them.` : "";
}

/** Borders of cells around grid points, halfway between neighbours. */
function edges(centres) {
  if (centres.length === 1) return [centres[0] - 0.5, centres[0] + 0.5];
  const middle = centres.slice(1).map((c, k) => (c + centres[k]) / 2);
  const n = centres.length;
  return [1.5 * centres[0] - 0.5 * centres[1], ...middle, 1.5 * centres[n - 1] - 0.5 * centres[n - 2]];
}

// Marks in every panel ------------------------------------------------------------------------------------------------

const inflections = () => experiment().phases.filter((r) => r.quantity === "inflection");
const marked = () => inflections().filter((r) => r.found && r.estimator in data.marks);

/** Lines at learning-rate drops and inflection points on an axis of iterations; `both` for square panels. */
function marks(both = false) {
  const line = (t, style) => {
    const across = { type: "line", x0: t, x1: t, y0: 0, y1: 1, yref: "y domain", line: style };
    return both ? [across, { type: "line", y0: t, y1: t, x0: 0, x1: 1, xref: "x domain", line: style }] : [across];
  };
  return [
    ...experiment().drops.flatMap((t) => line(t, { color: INK, width: 1, dash: "1px,3px" })),
    ...marked().flatMap((r) => line(r.value, { color: data.marks[r.estimator].colour, width: 1.8, dash: data.marks[r.estimator].line })),
  ];
}

function drawLegend() {
  const swatch = (colour, dash, text) =>
    html`<span><svg width="34" height="10" aria-hidden="true"><line x1="0" x2="34" y1="5" y2="5" stroke="${colour}"
      stroke-width="2.5" stroke-dasharray="${dash}"/></svg>${text}</span>`;
  const shown = marked().map((r) => [r, data.marks[r.estimator]]).map(([r, mark]) =>
    swatch(mark.colour, SWATCH[mark.line], `${mark.label}: ${show(r.value)}`));
  const drops = experiment().drops;
  if (drops.length) shown.push(swatch(INK, "1 3", `learning rate drops: ${drops.join(", ")}`));
  fill("legend", shown.length ? html`<span>Lines in every panel:</span>${shown}` : "");
}

// Plots ---------------------------------------------------------------------------------------------------------------

const font = { family: "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif", size: 12, color: INK };

function axis(title, more = {}) {
  return { title: { text: title, standoff: 6 }, tickformat: more.type === "log" ? "" : "~g", gridcolor: "#e8ecf0", zeroline: false, linecolor: "#9aa5b1",
    ticks: "outside", ticklen: 3, automargin: true, ...more };
}

const logAxis = { type: "log", exponentformat: "power", dtick: null, nticks: 6 };

function time(title = "iteration") {
  const end = experiment().iterations;
  const range = state.time === "log" ? [-0.15 * unit(), 1.2 * end] : [-0.02 * end, 1.02 * end];
  return axis(title, { range, nticks: 7, time: true });
}

// Iterations: linear, or logarithmic from the first time of interest on and linear before it, so that 0 has a place.

/** Times at which something was computed: of forks where there are some, else of kernels. */
const interesting = () => sorted(run().forks?.t0 ?? taus());
/** Whether most of what is shown lies in the first fifth of training. */
function squeezed() {
  const times = interesting();
  return times.length > 0 && times[Math.floor(times.length / 2)] < experiment().iterations / 5;
}

/** Place of an iteration on an axis of time. */
function placed(t) {
  return state.time === "log" && t !== null ? Math.asinh(t / unit()) : t;
}

const unit = () => interesting().find((t) => t > 0) ?? 1;

/** Traces, shapes or annotations moved to their places on the axes of time; what stands on the paper stays. */
function moved(parts, x, y) {
  if (state.time === "linear") return parts;
  const keys = [...(x ? ["x", "x0", "x1"] : []), ...(y ? ["y", "y0", "y1"] : [])];
  const at = (value) => (Array.isArray(value) ? value.map(placed) : placed(value));
  return parts?.map((part) => {
    const mine = keys.filter((key) => key in part && !/domain|paper/.test(part[`${key[0]}ref`] ?? ""));
    return { ...part, ...Object.fromEntries(mine.map((key) => [key, at(part[key])])) };
  });
}

/** Traces and layout with everything that is on an axis of time where it belongs. */
function onTimeAxes(traces, layout) {
  const [x, y] = ["xaxis", "yaxis"].map((name) => Boolean(layout[name]?.time));
  if (state.time === "linear" || !(x || y)) return [traces, layout];
  const times = [0];
  for (let t = 10 ** Math.ceil(Math.log10(unit())); t <= experiment().iterations; t *= 10) times.push(t);
  const ticks = { tickvals: times.map(placed), ticktext: times.map((t) => (t >= 1000 ? `${t / 1000}k` : `${t}`)) };
  const scaled = (axis) => ({ ...axis, ...ticks, range: axis.range.map(placed) });
  const told = traces.map((trace) => ({ ...trace, customdata: trace.customdata ?? Array.from(trace.x),
    hovertemplate: trace.hovertemplate?.replace("%{x}", "%{customdata}") }));
  return [moved(told, x, y), { ...layout, ...(x ? { xaxis: scaled(layout.xaxis) } : {}), ...(y ? { yaxis: scaled(layout.yaxis) } : {}),
    shapes: moved(layout.shapes, x, y), annotations: moved(layout.annotations, x, y) }];
}

// Words come first: Plotly takes most of the time in which the page opens, and starts when it has been painted. A plot
// is drawn when it first comes near the screen, one at a time so that the first is seen at once; later changes are immediate.
const drawn = new Set(), waiting = new Map();
const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) setTimeout(() => drawFirst(target.id));
  }
}, { rootMargin: "100px" });

function drawFirst(id) {
  observer.unobserve($(id));
  drawn.add(id);
  waiting.get(id)?.();
  waiting.delete(id);
}

function startPlots() {
  const script = document.createElement("script");
  script.textContent = $("plotly").textContent;
  document.head.append(script);
  document.querySelectorAll(".plot").forEach((div) => observer.observe(div));
}

/** Shows traces in the plot `id`; `table` are the rows of its CSV, `then` is called once they are shown. */
function plot(id, traces, layout, table, then) {
  tables[id] = table;
  const alone = ALONE.includes(id) && $(id).closest(".panel");
  if (alone) alone.hidden = false;
  if (id === "ends" && !drawn.has(id)) sketch($(id), traces);
  const show = () => {
    react($(id), ...onTimeAxes(traces, layout));
    then?.();
  };
  if (drawn.has(id)) show();
  else waiting.set(id, show);
}

const ALONE = ["ends", "since", "steps", "cone", "linearized"]; // a panel has nothing to say without its plot

/** The dots of a plot in plain SVG, logarithmic in y, until Plotly is there. */
function sketch(div, traces) {
  const xs = traces.flatMap((t) => t.x.map(placed)), ys = traces.flatMap((t) => t.y.map((v) => Math.log10(Math.max(v, 1e-16))));
  const scaled = (values, from, to) => {
    const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    return values.map((v) => from + ((v - low) / (high - low || 1)) * (to - from));
  };
  const x = scaled(xs, 15, 96), y = scaled(ys, 82, 20);
  const dots = x.map((v, k) => html`<circle cx="${v}%" cy="${y[k]}%" r="5" fill="${data.time[16]}"/>`);
  fill(div.id, html`<svg class="sketch" role="img" aria-label="C at the end of training over t₀">${dots}<text x="15%" y="97%" font-size="12">t₀, iteration of the perturbation</text>
    <text x="2%" y="12%" font-size="12">C at the end of training, log</text></svg>`);
}

function react(div, traces, layout) {
  if (div.querySelector(".empty, .sketch")) div.replaceChildren();
  Plotly.react(div, traces, {
    font, margin: { l: 52, r: 10, t: 8, b: 40 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", showlegend: false,
    hoverlabel: { font: { size: 12 } }, hovermode: "closest", dragmode: false, ...layout,
  }, { displayModeBar: false, responsive: true });
}

function empty(id, text) {
  waiting.delete(id);
  if (drawn.has(id)) Plotly.purge($(id));
  tables[id] = null;
  const alone = ALONE.includes(id) && $(id).closest(".panel");
  if (alone) alone.hidden = true;
  fill(id, html`<div class="empty">${text}</div>`);
}

const hover = (x, y) => `${x} %{x}<br>${y} %{y:.3g}<extra></extra>`;

function drawEnds() {
  const e = experiment();
  if (!e.runs.some((r) => r.forks)) return empty("ends", "No forks were trained in this experiment.");
  const symbols = ["circle", "diamond", "square", "triangle-up", "cross", "x"];
  const rows = [["seed", "t0", "t1", "draw", "C"]];
  const traces = e.runs.map((r, s) => {
    const f = r.forks, last = Math.max(...f.t1), C = column(f, "C");
    const keep = f.t1.flatMap((t, k) => (t === last ? [k] : []));
    keep.forEach((k) => rows.push([r.seed, f.t0[k], f.t1[k], f.draw[k], C[k]]));
    return { x: keep.map((k) => f.t0[k]), y: keep.map((k) => C[k]), name: `seed ${r.seed}`, mode: "markers", type: "scatter",
      marker: { size: 10, symbol: symbols[s % symbols.length], color: data.time[Math.floor((s / Math.max(e.runs.length, 2)) * 32)],
        line: { width: 1, color: "#fff" } }, hovertemplate: `seed ${r.seed}<br>${hover("t₀", "C")}` };
  });
  const found = marked().find((r) => r.estimator === "chaos C");
  const band = found ? [{ type: "rect", x0: found.low, x1: found.high, y0: 0, y1: 1, yref: "paper", layer: "below",
    fillcolor: data.marks["chaos C"].colour, opacity: 0.13, line: { width: 0 } }] : [];
  const narrow = $("ends").clientWidth < 480;
  const early = found && placed(found.value) < 0.3 * placed(e.iterations);
  const words = found ? [
    { x: found.value, xanchor: "right", text: narrow || early ? "chaotic ← " : "chaotic phase ← ", y: 1, yref: "paper", yanchor: "bottom", showarrow: false },
    { x: found.value, xanchor: "left", text: narrow || early ? " → stable" : " → stable phase", y: 1, yref: "paper", yanchor: "bottom", showarrow: false },
  ] : [];
  plot("ends", traces, {
    xaxis: time("t₀, iteration of the perturbation"), yaxis: axis("C at the end of training", logAxis),
    shapes: [...band, ...marks()], annotations: words, showlegend: e.runs.length > 1,
    legend: { orientation: "h", y: 1.1, yanchor: "bottom", x: 0 }, margin: { l: 60, r: 10, t: 46, b: 40 },
  }, rows);
}

function drawInflections() {
  const level = Math.round(100 * experiment().level);
  const whose = `${experiment().distance}' `; // forks' or checkpoints'
  const body = inflections().map((r) => html`<tr><td>${r.estimator.startsWith("chaos") ? whose : ""}${data.points[r.estimator]}${r.estimator === "chaos C" ? " (first line of this page)" : ""}</td><td class="number">${r.found ? html`<b>${show(r.value)}</b>` : "not found"}</td>
    <td class="number">${r.found ? `${show(r.low)} to ${show(r.high)}` : "–"}</td><td class="number">${show(r.gain, 2)}</td></tr><tr class="definition"><td colspan="4">${r.definition}${r.reason ? ` (${r.reason})` : ""}</td></tr>`);
  fill("inflections", body.length ? html`<thead><tr><th>estimated from</th><th>iteration</th><th>${level} % interval</th>
    <th>gain</th></tr></thead><tbody>${body}</tbody>` : html`<tbody><tr><td>This experiment has none.</td></tr></tbody>`);
  tables.inflections = [["quantity", "estimator", "value", "low", "high", "gain", "found", "reason", "definition"],
    ...experiment().phases.map((r) => [r.quantity, r.estimator, r.value, r.low, r.high, r.gain, r.found, r.reason, r.definition])];
}

// The grid, and its chosen cell -----------------------------------------------------------------------------------------

const cell = () => hovered ?? [state.x, state.y];
const axisNames = () => (state.view === "fork" ? ["t₀", "t₁"] : ["tᵢ", "tⱼ"]);

function cellShapes() {
  const { xs, ys } = shownGrid(), [x, y] = cell();
  const i = xs.indexOf(x), j = ys.indexOf(y);
  if (i < 0 || j < 0) return [];
  const ex = edges(xs), ey = edges(ys);
  const box = { type: "rect", x0: ex[i], x1: ex[i + 1], y0: ey[j], y1: ey[j + 1] };
  return [{ ...box, line: { color: "#fff", width: 5 } }, { ...box, line: { color: PICK[0], width: 2.5 } }];
}

const gridShapes = () => [...marks(state.view === "pair"), ...cellShapes()];

function drawGrid() {
  const { xs, ys, value } = shownGrid(), [nx, ny] = axisNames();
  const values = ys.map((y) => xs.map((x) => value(x, y)));
  const positive = values.flat().filter((v) => v > 0);
  const top = positive.reduce((a, b) => Math.max(a, b), 0) || 1;
  const bottom = positive.reduce((a, b) => Math.min(a, b), Infinity);
  const fixed = state.scale === "claims" ? data.scales[state.metric] : null;
  const log = fixed !== null || (state.scale === "log" && positive.length > 0);
  // On a logarithmic scale a value of 0 or below takes the lowest colour; a cell without a value stays white.
  const least = fixed ? fixed.low : bottom;
  const z = values.map((row) => row.map((v) => (Number.isNaN(v) ? null : log ? Math.log10(Math.max(v, least)) : v)));
  const low = log ? Math.log10(least) : Math.min(0, ...values.flat().filter((v) => v < 0));
  const high = fixed ? Math.log10(fixed.high) : log ? Math.max(Math.log10(top), low + 1e-6) : top;
  const step = Math.max(1, Math.ceil((high - low) / 7));
  const powers = [];
  for (let p = Math.ceil(low); p <= high; p += step) powers.push(p);
  const narrow = $("grid").clientWidth < 480;
  const lines = fixed && [-6, -5, -4, -3, -2, -1, 0, 1, 2].map((p) => fixed.line * 10 ** p).filter((v) => v >= 0.99 * fixed.low && v <= 1.01 * fixed.high);
  const ticks = fixed ? { tickvals: lines.map(Math.log10), ticktext: lines.map((v) => written(state.metric, v)) }
    : log && powers.length > 1 ? { tickvals: powers, ticktext: powers.map((p) => (share(state.metric) ? show(100 * 10 ** p) : `10<sup>${p}</sup>`.replace("-", "−"))) }
    : log ? { tickvals: [low, high], ticktext: [bottom, top].map((v) => (share(state.metric) ? show(100 * v, 2) : show(v, 2))) } : { nticks: 6, tickformat: share(state.metric) ? "~%" : "~g" };
  const bar = { ...ticks, title: { text: `${METRICS[state.metric]} (${unitOf(state.metric)})`, side: narrow ? "top" : "right" }, thickness: 14,
    ...(narrow ? { orientation: "h", y: 1.02, yanchor: "bottom", len: 1, lenmode: "fraction" } : {}) };
  const map = fixed ? fixed.colours : data.colours, scale = map.map((c, k) => [k / (map.length - 1), c]);
  const square = state.view === "pair" && !narrow ? { scaleanchor: "x", constrain: "domain" } : {};
  const ex = edges(xs), ey = edges(ys), name = state.view === "fork" ? "t₀, perturbed at iteration" : "tᵢ, iteration";
  // Plotly misplaces the title of an axis where a colour bar lies on top; a note of the same words stands in for it.
  const below = { text: name, xref: "paper", yref: "paper", x: 0.5, y: 0, yshift: -20, yanchor: "top", showarrow: false, font: { size: 14 } };
  plot("grid", [{
    type: "heatmap", x: ex, y: ey, z, zmin: low, zmax: high, colorscale: scale, colorbar: bar, hoverongaps: false,
    customdata: ys.map((y, j) => xs.map((x, i) => [x, y, show(values[j][i])])),
    hovertemplate: `${nx} = %{customdata[0]}<br>${ny} = %{customdata[1]}<br>${state.metric} = %{customdata[2]}<extra></extra>`,
  }], {
    xaxis: axis(narrow ? "" : name, { time: true, showgrid: false, range: [ex[0], ex.at(-1)], ...(state.view === "pair" ? { constrain: "domain" } : {}) }),
    yaxis: axis(state.view === "fork" ? "t₁, compared at iteration" : "tⱼ, iteration", { time: true, showgrid: false, range: [ey[0], ey.at(-1)], ...square }),
    shapes: gridShapes(), annotations: narrow ? [below] : [], margin: { l: 56, r: 10, t: narrow ? 70 : 8, b: 48 },
  }, [[...axisNames().map((n) => ({ "t₀": "t0", "t₁": "t1", "tᵢ": "i", "tⱼ": "j" })[n]), state.metric],
    ...ys.flatMap((y, j) => xs.flatMap((x, i) => (Number.isNaN(values[j][i]) ? [] : [[x, y, values[j][i]]])))], connectGrid);
  $("grid").setAttribute("aria-label", `Heat map of ${METRICS[state.metric]}; arrow keys move the chosen cell`);
  $("grid-title").textContent = state.view === "fork" ? "Distance between forks and base run" : "Distance between two iterations of the base run";
  fill("grid-help", state.view === "fork"
    ? html`Columns: when a fork was perturbed. Rows: when it is compared with the base run. The chaotic phase ends where <b>dark columns on the left turn light</b>. Hover over a cell, or choose one.`
    : html`How far the base run moved between two iterations. <b>A light square at the upper right</b> is the second phase: late networks are alike. Hover over a cell, or choose one.`);
  $("grid-notice").textContent = [fixed ? `Grey: below ${show(share(state.metric) ? 100 * fixed.line : fixed.line)} ${unitOf(state.metric)}, from where the claims call it large. The same colours in every run.` : "Colours span this run's values.",
    state.view === "pair" ? fewer(run().grids[state.metric], "checkpoints") : ""].join(" ");
}

function drawPair() {
  const [x, y] = cell(), fork = state.view === "fork", [nx, ny] = axisNames();
  const f = run().forks, k = fork ? forkCell(x, y) : -1;
  const value = (m) => (fork ? (k < 0 ? NaN : column(f, m)[k]) : pairValue(m, x, y));
  const boxes = Object.keys(METRICS).map((m) =>
    html`<div class="${m === state.metric ? "chosen" : ""}"><b>${m} ${show(value(m))}</b>${METRICS[m].split(", ")[1]}</div>`);
  const words = fork ? `Fork perturbed at t₀ = ${x}, compared with the base run at t₁ = ${y}.`
    : `The base run at tᵢ = ${x} and at tⱼ = ${y}.`;
  const missing = fork && k < 0 ? " It does not exist before t₀: choose a later t₁." : "";
  const right = [[nx, x], [ny, y]].map(([name, t]) => [name, testAccuracy(t)]).filter(([, share]) => !Number.isNaN(share));
  const scores = right.length ? ` Test accuracy of the base run: ${right.map(([name, share]) => `${show(100 * share)} % at ${name}`).join(", ")}.` : "";
  fill("readout", html`<div class="wide">${words}${missing}${scores}</div>${boxes}`);
  for (const [select, at] of [[$("pick-x"), x], [$("pick-y"), y]]) select.value = at; // follows the pointer, too
  tables.pair = [[nx === "t₀" ? "t0" : "i", ny === "t₁" ? "t1" : "j", ...Object.keys(METRICS)], [x, y, ...Object.keys(METRICS).map(value)]];
  drawTraining(x, y);
  drawPath(x, y, k);
  drawHistory(x, y);
}

function drawTraining(x, y) {
  $("log-notice").textContent = "";
  if (!run().log) return empty("training", "The log of this run's training is not kept with its tables.");
  const log = run().log, [t, loss] = curveOf(log);
  const rows = [["run", "iteration", "loss"], ...Array.from(t, (v, k) => ["base", v, loss[k]])];
  const traces = [{ x: t, y: loss, type: "scatter", mode: "lines", line: { color: SOFT, width: 1.2 }, hovertemplate: hover("iteration", "batch loss") }];
  const twin = state.view === "fork" && run().forks.logs[`${x}/${state.draw}`];
  if (twin) {
    const [ft, fl] = curveOf(twin);
    traces.push({ x: ft, y: fl, type: "scatter", mode: "lines", line: { color: "#d1495b", width: 1.2, dash: "dot" }, hovertemplate: `fork<br>${hover("iteration", "batch loss")}` });
    ft.forEach((v, k) => rows.push(["fork", v, fl[k]]));
  }
  const times = [[x, PICK[0]], [y, PICK[1]]].map(([v, c]) => ({ type: "line", x0: v, x1: v, y0: 0, y1: 1, yref: "paper", line: { color: c, width: 2.5 } }));
  const [nx, ny] = axisNames(), right = x > 0.8 * experiment().iterations;
  const label = (v, name, colour, y0) => ({ x: v, y: y0, yref: "paper", text: ` <b>${name}</b> `, showarrow: false, yanchor: "top",
    xanchor: v > 0.8 * experiment().iterations ? "right" : "left", font: { color: colour, size: 13 }, bgcolor: "rgba(255,255,255,.8)" });
  plot("training", traces, { xaxis: time(), yaxis: axis("batch loss", logAxis), shapes: [...marks(), ...times],
    annotations: [label(x, nx, PICK[0], 1), label(y, ny, PICK[1], x === y || Math.abs(x - y) < 0.08 * experiment().iterations ? 0.82 : 1)] }, rows);
  const mean = (part) => (part.every > 1 ? `, means of ${part.every} iterations` : "");
  $("log-notice").textContent = `(base run grey${mean(log)}${twin ? `; fork red dotted${mean(twin)}` : ""})`;
}

function drawPath(x, y, k) {
  const fork = state.view === "fork", table = fork ? run().forks : run().grids.B;
  const message = "No loss barrier was computed for this pair.";
  $("path-notice").textContent = "";
  if (!table || !table.alphas) return empty("path", message);
  const i = fork ? 0 : table.times.indexOf(x), j = fork ? 0 : table.times.indexOf(y), n = table.alphas;
  const row = fork ? k : i < 0 || j < 0 ? -1 : place(i, j, table.times.length);
  if (row < 0) return empty("path", fork ? message : `${message} There are some between iterations ${table.times.join(", ")}.`);
  let loss = Array.from(column(table, "path").slice(row * n, (row + 1) * n));
  if (Number.isNaN(loss[0])) return empty("path", "Both ends are the same network.");
  // alpha = 1 is theta_i, the earlier time (of a fork: the base run); shown from left to right as the reader chose them.
  if (fork || x <= y) loss = loss.reverse();
  const at = loss.map((_, m) => m / (n - 1)), mean = (loss[0] + loss[n - 1]) / 2, top = Math.max(...loss), peak = at[loss.indexOf(top)];
  const ends = fork ? ["base run", "fork"] : [`t = ${x}`, `t = ${y}`];
  const over = top - Math.max(loss[0], loss[n - 1]);
  $("path-notice").textContent = over > 1e-9 ? `The loss rises ${show(over, 2)} above the higher end.`
    : "No bump: the loss rises nowhere above the higher end. B, over the mean of both ends, is then half of their difference.";
  plot("path", [
    { x: at, y: loss, type: "scatter", mode: "lines+markers", line: { color: PICK[0] }, marker: { size: 4 }, hovertemplate: hover("share of the way", "test loss") },
    { x: [peak, peak], y: [mean, top], type: "scatter", mode: "lines", line: { color: "#d1495b", width: 3 }, hoverinfo: "skip" },
  ], { xaxis: axis("straight line between the weights", { tickvals: [0, 1], ticktext: ends, range: [-0.12, 1.12] }),
    yaxis: axis(`test ${experiment().barrier}`, { nticks: 5 }),
    shapes: [{ type: "line", x0: 0, x1: 1, y0: mean, y1: mean, line: { color: SOFT, width: 1, dash: "dot" } }] },
  [["share_of_the_way", experiment().barrier], ...at.map((a, m) => [a, loss[m]])]);
}

function drawHistory(x, y) {
  if (state.view === "fork") {
    const f = run().forks, l2 = column(f, "l2");
    const rows = [["t0", "draw", "t1", "l2"]];
    const path = (t0) => {
      const ks = f.t0.flatMap((t, k) => (t === t0 && f.draw[k] === state.draw ? [k] : [])).sort((a, b) => f.t1[a] - f.t1[b]);
      const points = [[t0, f.start[`${t0}/${state.draw}`]], ...ks.map((k) => [f.t1[k], l2[k]])];
      points.forEach(([t, v]) => rows.push([t0, state.draw, t, v]));
      return { x: points.map((p) => p[0]), y: points.map((p) => p[1]), type: "scatter", mode: "lines+markers",
        line: { color: t0 === x ? PICK[0] : "#cbd2d9", width: t0 === x ? 3 : 1.2 }, marker: { size: t0 === x ? 7 : 3 },
        hovertemplate: `t₀ = ${t0}<br>${hover("iteration", "distance")}` };
    };
    const others = sorted(f.t0).filter((t) => t !== x);
    plot("history", [...others, x].map(path), { xaxis: time(), yaxis: axis("|θ′ − θ|", logAxis), shapes: marks() }, rows);
    $("history-title").firstChild.textContent = "Distance of the fork";
    $("pair-help").textContent = "Left: test loss on the straight line from the base run to the fork; the red bar is B. "
      + "Right: distance of the fork from the base run, starting with ε; other forks of this seed in grey.";
    return;
  }
  const { xs, value } = shownGrid(), values = xs.map((t) => value(x, t));
  plot("history", [{ x: xs, y: values, type: "scatter", mode: "lines+markers", line: { color: PICK[0] }, marker: { size: 5 }, hovertemplate: hover("iteration", state.metric) },
    { x: [y], y: [value(x, y)], type: "scatter", mode: "markers", marker: { size: 12, color: PICK[1], symbol: "circle-open", line: { width: 3 } }, hoverinfo: "skip" }],
  { xaxis: time(), yaxis: axis(`${state.metric} from tᵢ`, { rangemode: "tozero", nticks: 5 }), shapes: marks() },
  [["i", "j", state.metric], ...xs.map((t, k) => [x, t, values[k]])]);
  $("history-title").firstChild.textContent = `${state.metric} between tᵢ and every iteration`;
  $("pair-help").textContent = "Left: test loss on the straight line between the two networks; the red bar is B. Right: the column of the grid at tᵢ, with a ring at tⱼ.";
}

// The kernel ------------------------------------------------------------------------------------------------------------

const taus = () => run().grids.S?.times ?? [];
/** The steps dt at which at least three pairs of kernels lie. */
function dts() {
  const counts = new Map(), t = taus();
  t.forEach((a, i) => t.slice(i + 1).forEach((b) => counts.set(b - a, (counts.get(b - a) ?? 0) + 1)));
  return sorted([...counts].filter(([, n]) => n >= 3).map(([d]) => d));
}

/** The range of values over seeds, as a band; nothing with one seed. `of(run)` are the values at the times x of a run. */
function band(x, of, colour = "11, 92, 173") {
  if (experiment().runs.length < 2) return [];
  const all = experiment().runs.map(of), keep = x.map((_, k) => k).filter((k) => all.every((values) => Number.isFinite(values[k])));
  const ends = (pick) => keep.map((k) => pick(...all.map((values) => values[k])));
  return [{ x: [...keep, ...[...keep].reverse()].map((k) => x[k]), y: [...ends(Math.max), ...ends(Math.min).reverse()], type: "scatter", mode: "lines",
    showlegend: false, fill: "toself", fillcolor: `rgba(${colour}, 0.15)`, line: { width: 0 }, hoverinfo: "skip" }];
}

const several = () => (experiment().runs.length > 1 ? ` Line: seed ${run().seed}; band: range of all ${experiment().runs.length} seeds.` : "");

function curve(id, x, y, rows, ylabel, xlabel, extra = [], bands = []) {
  plot(id, [...bands, { x, y, type: "scatter", mode: "lines+markers", line: { color: PICK[0] }, marker: { size: 6 }, hovertemplate: hover("t", "S") }],
    { xaxis: time(xlabel), yaxis: axis(ylabel, { rangemode: "tozero" }), shapes: [...marks(), ...extra] }, rows);
}

function drawSince() {
  if (!taus().length) return empty("since", "No kernels were computed.");
  const tau = taus()[state.tau], y = taus().map((t) => pairValue("S", t, tau));
  $("tau-value").value = tau;
  $("tau").setAttribute("aria-valuetext", `iteration ${tau}`);
  const line = { type: "line", x0: tau, x1: tau, y0: 0, y1: 1, yref: "paper", line: { color: PICK[1], width: 2.5 } };
  const values = (r) => taus().map((t) => (t === tau ? null : pairValue("S", t, tau, r))); // a gap at τ, where S is 0
  curve("since", taus(), values(run()), [["tau", "t", "S"], ...taus().map((t, k) => [tau, t, y[k]])], "S(t, τ)", "t, iteration (orange line: τ)", [line], band(taus(), values));
  const width = experiment().phases.find((r) => r.quantity === "cone width" && r.estimator === `after ${tau}`);
  const range = width && width.low !== null ? ` (${show(width.low)}° to ${show(width.high)}° over seeds)` : "";
  $("width").textContent = width ? `After τ = ${tau}, the kernel stays within ${show(width.value)}°${range} of where it was then (mean over seeds).` : "";
  $("width").textContent += several() + fewer(run().grids.S, "kernels");
}

function drawSteps() {
  const choices = dts();
  if (!choices.length) return empty("steps", "There are too few kernels.");
  const dt = choices[state.dt], t = taus().filter((a) => taus().includes(a + dt)), y = t.map((a) => pairValue("S", a, a + dt));
  $("dt-value").value = dt;
  $("dt").setAttribute("aria-valuetext", `${dt} iterations`);
  const values = (r) => t.map((a) => pairValue("S", a, a + dt, r));
  curve("steps", t, y, [["dt", "t", "S"], ...t.map((a, k) => [dt, a, y[k]])], "S(t, t + Δt)", "t, iteration", [], band(t, values));
  $("steps-notice").textContent = `${t.length} pairs of kernels are ${dt} iterations apart.${several()}${fewer(run().grids.S, "kernels")}`;
}

function drawCone() {
  const c = run().cone;
  $("cone-notice").textContent = "";
  if (!c) return empty("cone", "This experiment has no picture of its kernels.");
  const t = column(c, "iteration"), [x, y, z] = ["x", "y", "z"].map((name) => column(c, name));
  const scale = data.later.map((colour, k) => [k / (data.later.length - 1), colour]); // darker is later
  const rays = [[], [], []];
  t.forEach((_, k) => [x, y, z].forEach((v, d) => rays[d].push(0, v[k], null)));
  const nearest = (time) => t.reduce((best, v, k) => (Math.abs(v - time) < Math.abs(t[best] - time) ? k : best), 0);
  const flags = [...marked().map((r) => [r.value, data.marks[r.estimator].label, data.marks[r.estimator].colour]),
    ...experiment().drops.filter((d) => d <= t.at(-1)).map((d) => [d, "the learning rate drops", INK])].map(([v, name, colour]) => [nearest(v), name, colour]);
  const at = taus()[state.tau], k = nearest(at);
  $("cone-notice").textContent = [...(flags.length ? [`Rings: the kernels nearest to where ${flags.map(([, name]) => name).join(", ")} (colours as above the panels).`] : []), "Diamond: τ of panel 5."].join(" ");
  const label = (d) => ({ title: { text: `axis ${d + 1} (${Math.round(100 * c.explained[d])} %)`, font: { size: 11 } }, showticklabels: false });
  plot("cone", [
    { type: "scatter3d", mode: "lines", x: rays[0], y: rays[1], z: rays[2], line: { color: "#b8c2cc", width: 1.5 }, hoverinfo: "skip", connectgaps: false },
    { type: "scatter3d", mode: "lines+markers", x, y, z, text: Array.from(t, (v) => `iteration ${v}`), hovertemplate: "%{text}<extra></extra>",
      line: { color: t, colorscale: scale, width: 3 }, marker: { size: 5, color: t, colorscale: scale, colorbar: { title: { text: "iteration", side: "top" }, thickness: 12, orientation: "h", y: 1, yanchor: "top", len: 0.8 } } },
    ...flags.map(([m, name, colour]) => ({ type: "scatter3d", mode: "markers", x: [x[m]], y: [y[m]], z: [z[m]], hovertemplate: `${name}, kernel at ${t[m]}<extra></extra>`,
      marker: { size: 11, symbol: "circle-open", color: colour, line: { width: 3 } } })),
    { type: "scatter3d", mode: "markers", x: [x[0]], y: [y[0]], z: [z[0]], marker: { size: 8, color: "#000" }, hovertemplate: `kernel at ${t[0]}<extra></extra>` },
    { type: "scatter3d", mode: "markers", x: [x[k]], y: [y[k]], z: [z[k]], marker: { size: 9, symbol: "diamond-open", color: PICK[1] }, hovertemplate: `τ = ${at}<extra></extra>` },
  ], { scene: { aspectmode: "data", xaxis: label(0), yaxis: label(1), zaxis: label(2), camera: { eye: eye() } }, dragmode: "orbit",
    margin: { l: 0, r: 0, t: 0, b: 0 } },
  [["iteration", "x", "y", "z"], ...Array.from(t, (v, m) => [v, x[m], y[m], z[m]])]);
}

/** Degrees between the kernel at t and those at the start and at τ. */
function drawAngles() {
  if (!taus().length || !run().cone) return empty("angles", "There are no kernels.");
  const tau = taus()[state.tau], first = taus()[0];
  const from = (s) => (r) => taus().map((t) => (t === s ? null : (180 / Math.PI) * Math.acos(1 - pairValue("S", t, s, r))));
  const line = (s, colour, name) => ({ x: taus(), y: from(s)(run()), type: "scatter", mode: "lines+markers", name, line: { color: colour }, marker: { size: 5 }, hovertemplate: hover("t", "degrees") });
  const both = [[first, INK, "31, 41, 51"], ...(tau === first ? [] : [[tau, PICK[1], "180, 83, 9"]])];
  plot("angles", both.flatMap(([s, colour, rgb]) => [...band(taus(), from(s), rgb), line(s, colour, `from ${s}`)]),
    { xaxis: time("t, iteration"), yaxis: axis("degrees", { rangemode: "tozero", nticks: 5 }), shapes: marks() },
    [["from", "t", "degrees"], ...both.flatMap(([s]) => taus().map((t, k) => [s, t, from(s)(run())[k]]))]);
  $("angles-notice").textContent = `(from the kernel at ${first}, dark, and at τ = ${tau}, orange.${several()})`;
}

// Linearized training and claims ----------------------------------------------------------------------------------------

/** Test error after a switch to the tangent, beside that of standard training. */
function drawLinearized() {
  const e = experiment(), l = run().linearized;
  if (!l) return empty("linearized", "No tangent was trained in this experiment.");
  const switches = Array.from(column(l, "switch"));
  const errors = (r) => switches.map((t) => { const k = Array.from(column(r.linearized, "switch")).indexOf(t); return k < 0 ? NaN : 100 * column(r.linearized, "error")[k]; });
  const standard = (r) => switches.map((t) => { const k = Array.from(column(r.scores, "iteration")).indexOf(t); return k < 0 ? NaN : 100 * (1 - column(r.scores, "test_accuracy")[k]); });
  const line = (y, colour, name, symbol) => ({ x: switches, y, name, type: "scatter", mode: "lines+markers", line: { color: colour }, marker: { size: 7, symbol }, hovertemplate: `${name}<br>${hover("t", "error, %")}` });
  plot("linearized", [...band(switches, errors, "209, 73, 91"), ...band(switches, standard, "0, 121, 140"),
    line(errors(run()), "#d1495b", `tangent, from t to ${e.until}`, "circle"), line(standard(run()), "#00798c", "standard, at t", "square")],
  { xaxis: time("switch t, iteration"), yaxis: axis("test error (%)", { type: "log", nticks: 6, tickformat: "~g", dtick: "D2" }), shapes: marks(),
    showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, margin: { l: 56, r: 10, t: 40, b: 40 } },
  [["switch", "error_percent", "standard_error_percent"], ...switches.map((t, k) => [t, errors(run())[k], standard(run())[k]])]);
  document.querySelectorAll("#linearized .legendtoggle").forEach((t) => t.remove());
  $("linearized-notice").textContent = `Trained to iteration ${e.until}.${several()}`;
}

const SYMBOLS = { reproduced: "✓", "not reproduced": "✗", undecided: "?", untested: "–" };

function drawClaims() {
  const said = experiment().claims.filter((c) => c.verdict in SYMBOLS);
  $("p-claims").hidden = !said.length;
  const row = (c) => html`<tr><td class="verdict">${SYMBOLS[c.verdict]} ${c.verdict}</td><td>${c.text} <a class="notice" href="figures.html#${c.figure}">${c.figure}</a></td></tr>`;
  fill("claims", html`<thead><tr><th>verdict</th><th>claim</th></tr></thead><tbody>${said.map(row)}</tbody>`);
}

/** Where the cone is seen from, also after the reader has turned it. */
function eye() {
  const far = $("cone").clientWidth < 480 ? 2.6 : 2;
  return $("cone").layout?.scene?.camera?.eye ?? { x: 0.58 * far, y: -0.72 * far, z: 0.38 * far };
}

function turn(direction) {
  const { x, y, z } = eye(), far = Math.hypot(x, y, z);
  const around = Math.atan2(y, x) + ({ left: -0.26, right: 0.26 }[direction] ?? 0);
  const up = Math.max(-1.4, Math.min(1.4, Math.atan2(z, Math.hypot(x, y)) + ({ up: 0.2, down: -0.2 }[direction] ?? 0)));
  Plotly.relayout("cone", { "scene.camera.eye": { x: far * Math.cos(up) * Math.cos(around), y: far * Math.cos(up) * Math.sin(around), z: far * Math.sin(up) } });
}

// Saving ----------------------------------------------------------------------------------------------------------------

function download(name, url) {
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
}

/** Names of files and headings say what is shown. */
function label(id) {
  const words = { ends: ["C_at_the_end"], grid: [state.view, state.metric, state.scale], since: ["S", `tau${taus()[state.tau]}`],
    steps: ["S", `dt${dts()[state.dt]}`], training: ["training"], path: ["path", ...cell()], history: ["history", cell()[0]],
    pair: ["pair", ...cell()], inflections: ["inflections"], cone: ["cone"], angles: ["angles", `tau${taus()[state.tau]}`], linearized: ["linearized"] }[id];
  return [experiment().name, ...(["ends", "inflections"].includes(id) ? [] : [`seed${run().seed}`]), ...words].join("_");
}

/** Title and key of a saved picture, in words. */
function words(id) {
  const heading = ($(id).previousElementSibling?.matches("h3") ? $(id).previousElementSibling : $(id).closest(".panel").querySelector("h2")).cloneNode(true);
  heading.querySelectorAll(".save").forEach((buttons) => buttons.remove());
  const alone = ["since", "steps", "angles", "linearized"].includes(id) ? several().trim() : id === "ends" ? "all seeds" : `seed ${run().seed}`;
  const own = { grid: `${METRICS[state.metric]} (${unitOf(state.metric)})`, path: `${axisNames()[0]} = ${cell()[0]}, ${axisNames()[1]} = ${cell()[1]}`,
    history: `${axisNames()[0]} = ${cell()[0]}`, since: `τ = ${taus()[state.tau]}`, steps: `Δt = ${dts()[state.dt]}`, cone: "black: kernel at the start; darker: later" }[id];
  const lines = id === "cone" ? [] : [...$("legend").children].map((item) => item.textContent.trim());
  return [heading.textContent.replace(/^\d+ · /, "").replace(/\s+/g, " ").trim(), own, alone, ...lines].filter(Boolean);
}

/** Text in lines of about so many letters. */
function wrapped(text, letters) {
  return text.split(" ").reduce((lines, word) => {
    const last = lines.at(-1);
    return last && last.length + word.length < letters ? [...lines.slice(0, -1), `${last} ${word}`] : [...lines, word];
  }, []);
}

async function savePNG(id) {
  const div = $(id);
  const [heading, ...key] = words(id), letters = Math.max(30, Math.floor(div.clientWidth / 6.5));
  const lines = wrapped([...key, experiment().title].join(" · "), letters);
  const title = { text: [...wrapped(heading, letters - 4).map((line) => html`<b>${line}</b>`), ...lines.map((line) => html`<span style="font-size:11px">${line}</span>`)].map(escaped).join("<br>"),
    font: { size: 14 }, x: 0.02, xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { t: 8 } };
  const room = 24 + 18 * (lines.length + 1);
  const margin = { ...div.layout.margin, t: (div.layout.margin?.t ?? 8) + room };
  const url = await Plotly.toImage({ data: div.data, layout: { ...div.layout, title, margin } },
    { format: "png", width: div.clientWidth, height: div.clientHeight + room, scale: 2 });
  download(`${label(id)}.png`, url);
}

function saveCSV(id) {
  const quote = (v) => (v === null || Number.isNaN(v) ? "" : /[",\n]/.test(v) ? `"${String(v).replaceAll('"', '""')}"` : v);
  const text = tables[id].map((row) => row.map(quote).join(",")).join("\n") + "\n";
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  download(`${label(id)}.csv`, url);
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function saveButtons(id, where, inner) {
  const box = document.createElement("span");
  box.className = inner ? "save inner" : "save";
  const kinds = id === "inflections" ? { CSV: saveCSV } : { PNG: savePNG, CSV: saveCSV };
  for (const [kind, save] of Object.entries(kinds)) {
    const button = document.createElement("button");
    button.textContent = kind;
    button.dataset.save = `${id}.${kind.toLowerCase()}`;
    button.setAttribute("aria-label", `Save ${kind} of: ${id}`);
    button.title = kind === "PNG" ? "Save this picture" : "Save the numbers of this panel";
    button.onclick = () => tables[id] && (kind === "CSV" || drawn.has(id)) && save(id);
    box.append(button);
  }
  where.append(box);
}

// What the reader does --------------------------------------------------------------------------------------------------

function options(select, values, chosen, names = values) {
  select.replaceChildren(...values.map((v, k) => new Option(names[k], v, false, v === chosen)));
}

/** Makes the choices fit the run, after it or the view changed. */
function settle() {
  const forks = run().forks, grids = run().grids;
  if (!forks) state.view = "pair";
  if (state.view === "pair" && !grids[state.metric]) state.metric = Object.keys(grids)[0];
  const { xs, ys } = shownGrid();
  const draws = forks ? sorted(forks.draw) : [0];
  if (!draws.includes(state.draw)) state.draw = draws[0];
  if (!xs.includes(state.x)) state.x = state.view === "fork" ? xs[0] : (grids.B?.times.at(1) ?? xs[0]);
  if (!xs.includes(state.x)) state.x = xs[0];
  if (!ys.includes(state.y)) state.y = ys.at(-1);
  document.querySelectorAll("input[name=view]").forEach((r) => { r.checked = r.value === state.view; r.disabled = r.value === "fork" && !forks; });
  document.querySelectorAll("input[name=metric]").forEach((r) => { r.checked = r.value === state.metric; r.disabled = state.view === "pair" && !grids[r.value]; });
  document.querySelectorAll("input[name=time]").forEach((r) => { r.checked = r.value === state.time; });
  document.querySelectorAll("input[name=scale]").forEach((r) => { r.checked = r.value === state.scale; });
  options($("pick-x"), xs, state.x);
  options($("pick-y"), ys, state.y);
  options($("pick-draw"), draws, state.draw);
  $("draw-label").hidden = state.view !== "fork" || draws.length < 2;
  [$("name-x").textContent, $("name-y").textContent] = axisNames();
}

function choose(x, y) {
  [state.x, state.y, hovered] = [x, y, null];
  showCell();
  remember();
}

// The address holds what the reader chose, so that a view can be sent.

function remember() {
  const chosen = { experiment: experiment().name, seed: run().seed, ...Object.fromEntries(Object.keys(CHOICES).map((key) => [key, state[key]])),
    draw: state.draw, x: state.x, y: state.y, tau: taus()[state.tau] ?? "", dt: dts()[state.dt] ?? "" };
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
}

/** Shows what the address names; what it does not, or names wrongly, stays as it is when the page opens. */
function fromAddress() {
  const named = new URLSearchParams(location.hash.slice(1));
  const find = (list, key, at) => Math.max(0, list.findIndex((item) => String(at(item)) === named.get(key)));
  Object.assign(state, START, { e: find(data.experiments, "experiment", (e) => e.name) });
  state.s = find(experiment().runs, "seed", (r) => r.seed);
  hovered = null;
  $("experiment").value = state.e;
  drawExperiment();
  for (const [key, values] of Object.entries(CHOICES)) if (values.includes(named.get(key))) state[key] = named.get(key);
  for (const key of ["draw", "x", "y"]) if (named.get(key)) state[key] = Number(named.get(key));
  for (const [key, values] of [["tau", taus()], ["dt", dts()]]) if (values.includes(Number(named.get(key) || NaN))) state[key] = values.indexOf(Number(named.get(key)));
  if (named.size) drawTimes();
}

function showCell() {
  drawPair();
  if (drawn.has("grid")) Plotly.relayout("grid", { shapes: moved(gridShapes(), true, true) });
}

function drawRun() {
  settle();
  drawGrid();
  drawPair();
}

function drawKernel() {
  state.tau = Math.min(state.tau, Math.max(taus().length - 1, 0));
  state.dt = Math.min(state.dt, Math.max(dts().length - 1, 0));
  $("tau").max = Math.max(taus().length - 1, 0);
  $("dt").max = Math.max(dts().length - 1, 0);
  $("tau").value = state.tau;
  $("dt").value = state.dt;
  drawSince();
  drawSteps();
  drawAngles();
  drawLinearized();
}

function drawExperiment() {
  const e = experiment();
  [$("headline").textContent, $("grounds").textContent] = e.texts;
  $("unit").textContent = e.barrier === "loss" ? "nats" : "a share";
  options($("seed"), e.runs.map((_, k) => k), state.s, e.runs.map((r) => r.seed));
  const at = taus().indexOf(e.tau[0]), step = dts().indexOf(e.dt[0]);
  state.tau = at < 0 ? Math.floor(taus().length / 4) : at;
  state.dt = step < 0 ? 0 : step;
  state.time = squeezed() ? "log" : "linear";
  drawLegend();
  drawInflections();
  drawClaims();
  $("overview").href = `${e.name}/overview.html`;
  drawTimes();
  drawCone();
}

/** All views with an axis of time. */
function drawTimes() {
  drawEnds();
  drawRun();
  drawKernel();
}

/** What the pointer does in the grid; connected when it is first drawn. */
function connectGrid() {
  const grid = $("grid"), at = (event) => event.points[0].customdata.slice(0, 2);
  grid.removeAllListeners("plotly_hover");
  grid.removeAllListeners("plotly_unhover");
  grid.removeAllListeners("plotly_click");
  let frame = 0; // one redraw a frame, however fast the pointer moves
  const later = (cell) => { hovered = cell; cancelAnimationFrame(frame); frame = requestAnimationFrame(showCell); };
  grid.on("plotly_hover", (event) => later(at(event)));
  grid.on("plotly_unhover", () => later(null));
  grid.on("plotly_click", (event) => choose(...at(event)));
}

function connect() {
  $("experiment").onchange = (event) => {
    Object.assign(state, START, { e: Number(event.target.value) });
    hovered = null;
    drawExperiment();
    remember();
  };
  $("seed").onchange = (event) => { state.s = Number(event.target.value); hovered = null; drawRun(); drawKernel(); drawCone(); remember(); };
  $("copy").onclick = () => { remember(); navigator.clipboard?.writeText(location.href); };
  addEventListener("hashchange", fromAddress);
  $("pick-x").onchange = (event) => choose(Number(event.target.value), state.y);
  $("pick-y").onchange = (event) => choose(state.x, Number(event.target.value));
  $("pick-draw").onchange = (event) => { state.draw = Number(event.target.value); drawRun(); remember(); };
  document.querySelectorAll("input[type=radio]").forEach((radio) => {
    radio.onchange = () => {
      state[radio.name] = radio.value;
      hovered = null;
      if (radio.name === "time") drawTimes();
      else drawRun();
      remember();
    };
  });
  $("tau").oninput = (event) => { state.tau = Number(event.target.value); drawSince(); drawCone(); drawAngles(); remember(); };
  $("dt").oninput = (event) => { state.dt = Number(event.target.value); drawSteps(); remember(); };
  document.querySelectorAll("[data-turn]").forEach((button) => { button.onclick = () => drawn.has("cone") && turn(button.dataset.turn); });

  const grid = $("grid");
  grid.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    const { xs, ys } = shownGrid();
    const to = (values, value, by) => values[Math.max(0, Math.min(values.length - 1, values.indexOf(value) + by))];
    choose(to(xs, state.x, dx), to(ys, state.y, dy));
  });
}

for (const id of ["ends", "grid", "since", "steps", "cone", "linearized"]) saveButtons(id, $(id).closest(".panel"));
saveButtons("inflections", $("p-inflections"));
for (const id of ["training", "path", "history", "angles"]) saveButtons(id, $(id).previousElementSibling, true);
/** When the chaotic phase of an experiment ends, in few words. */
function shortEnd(e) {
  const row = e.phases.find((r) => r.estimator === "chaos C");
  return row ? (row.found ? `ends at ${show(row.value)}` : "no end found") : "no forks";
}

options($("experiment"), data.experiments.map((_, k) => k), 0, data.experiments.map((e) => `${e.title} · ${shortEnd(e)}`));
$("facts").textContent = `Made by twophase ${data.facts.twophase}, commit ${data.facts.commit}. Numbers are embedded with seven digits; `
  + "the Parquet files next to this page have all of them.";
fromAddress();
connect();
addEventListener("load", () => requestAnimationFrame(() => setTimeout(startPlots)));
addEventListener("beforeprint", () => window.Plotly && [...waiting.keys()].forEach(drawFirst));
