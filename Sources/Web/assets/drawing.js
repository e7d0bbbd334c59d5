// How a shape looks from the front, in SVG; light comes from above on the left.

import { svg } from "./dom.js";

const tube = { r: 0.58, "stroke-width": 0.42, fill: "none" };

// The parts of each kind: [element, attributes, shade]; a shade lies over the shape's colour.
const drawings = {
  box: [
    ["path", { d: "M-.72-.42 0-.8.72-.42.72.44 0 .84-.72.44Z" }, null],
    ["path", { d: "M-.72-.42 0-.8.72-.42 0-.04Z" }, "light"],
    ["path", { d: "M0-.04.72-.42.72.44 0 .84Z" }, "dark"],
  ],
  sphere: [
    ["circle", { r: 0.8 }, null],
    ["circle", { r: 0.8 }, "ball"],
  ],
  cone: [
    ["path", { d: "M0-.9.74.58A.74.24 0 0 1-.74.58Z" }, null],
    ["path", { d: "M0-.9.74.58A.74.24 0 0 1-.74.58Z" }, "side"],
  ],
  cylinder: [
    ["path", { d: "M-.66-.58V.56A.66.23 0 0 0 .66.56V-.58Z" }, null],
    ["path", { d: "M-.66-.58V.56A.66.23 0 0 0 .66.56V-.58Z" }, "side"],
    ["ellipse", { rx: 0.66, ry: 0.23, cy: -0.58 }, null],
    ["ellipse", { rx: 0.66, ry: 0.23, cy: -0.58 }, "light"],
  ],
  ring: [
    ["circle", tube, "outline"],
    ["circle", { ...tube, stroke: "url(#shade-side)" }, "plain"],
  ],
};

const shades = { ball: "url(#shade-ball)", side: "url(#shade-side)" };

// Gradients and the pattern of the ground, once in a page.
export function definitions() {
  const stop = (offset, color, opacity) =>
    svg("stop", { offset, "stop-color": color, "stop-opacity": opacity });
  return svg("defs", {},
    svg("radialGradient", { id: "shade-ball", cx: "35%", cy: "30%", r: "75%" },
      stop("0", "#fff", 0.55), stop(".45", "#fff", 0.05), stop("1", "#000", 0.28)),
    svg("linearGradient", { id: "shade-side", x1: "0", x2: "1", y1: "0", y2: "0" },
      stop("0", "#fff", 0.28), stop(".45", "#fff", 0), stop("1", "#000", 0.28)),
    svg("pattern", { id: "ground", width: 0.75, height: 0.75, patternUnits: "userSpaceOnUse" },
      svg("circle", { class: "ground-dot", cx: 0.375, cy: 0.375, r: 0.03 })));
}

// The parts of a shape of that kind around 0, 0, without colour.
export function drawingOf(kind) {
  return drawings[kind].map(([name, attributes, shade]) => {
    const part = svg(name, attributes);
    if (shade === null) part.classList.add("fill");
    else if (shade === "outline") part.classList.add("outline");
    else if (shade === "light") part.setAttribute("fill", "rgb(255 255 255 / .35)");
    else if (shade === "dark") part.setAttribute("fill", "rgb(0 0 0 / .2)");
    else if (shades[shade]) part.setAttribute("fill", shades[shade]);
    return part;
  });
}

export function paint(group, color) {
  for (const part of group.querySelectorAll(".fill")) part.setAttribute("fill", color);
  for (const part of group.querySelectorAll(".outline")) part.setAttribute("stroke", color);
}

// A small picture of a kind, for a button.
export function pictureOf(kind) {
  const group = svg("g", {}, ...drawingOf(kind));
  paint(group, "currentColor");
  return svg("svg", { viewBox: "-1 -1 2 2", "aria-hidden": "true", class: "picture" }, group);
}
