// The files of uPlot, as text: the page loads them in a browser.
export { default as uplotCss } from "npm:uplot@1.6.32/dist/uPlot.min.css" with { type: "text" };
export { default as uplotJs } from "npm:uplot@1.6.32/dist/uPlot.iife.min.js" with { type: "text" };
