// The day's API calls as a chart: what was used, what is to be expected, and the wall.
"use strict";

const holder = document.getElementById("chart");

/** A colour of the style sheet as it is now, light or dark. */
function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  holder.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A moment, as everywhere on the page: 2026-01-31 14:30, in UTC. */
const written = (at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");

/** A moment below the chart: its hour, and at midnight the day. */
function hour(at) {
  const [day, time] = written(at).split(" ");
  return time === "00:00" ? day : time;
}

function draw() {
  const { times, used, expected, wall } = JSON.parse(holder.dataset.curve);
  holder.replaceChildren();
  const ink = colour("--ink-soft");
  const line = colour("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const number = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"));
  const says = (_, value) => number(value);
  const points = { show: true, size: 5 };
  const series = [
    { label: "Time", value: (_, at) => (at ? `${written(at)} UTC` : "–") },
    { label: "Used", stroke: colour("--bar"), width: 2.5, value: says, points, fill: colour("--brand-soft") },
    { label: "Expected", stroke: colour("--bar"), width: 2, dash: [6, 5], value: says, points: { show: false } },
    { label: "Wall", stroke: colour("--chart-wall"), width: 2, value: says, points: { show: false } },
  ];
  const highest = Math.max(...used, ...expected, wall) * 1.06;
  const options = {
    width: holder.clientWidth,
    height: 300,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"), // or the lines would stand at the hours of this place
    scales: { y: { range: [0, highest] } },
    axes: [{ ...axis, space: 80, values: (_, moments) => moments.map(hour) }, { ...axis, size: 62, values: (_, values) => values.map(number) }],
    series,
  };
  const chart = new uPlot(options, [times, used, expected, times.map(() => wall)], holder);
  // Who points at nothing reads how it is now.
  const now = used.findLastIndex((each) => each !== null);
  const rest = () => chart.setLegend({ idx: now });
  chart.over.addEventListener("mouseleave", () => setTimeout(rest));
  setTimeout(rest);
}

if (holder) {
  draw();
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 120);
  });
  document.addEventListener("theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
