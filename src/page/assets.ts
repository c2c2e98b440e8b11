/**
 * The files of the page, which are packed into the program.
 *
 * The page loads nothing else: the policy of its responses forbids it (http/response_head.ts). uPlot draws the plots.
 * It is the smallest library that draws an hour of points in a millisecond, and it has no dependencies.
 *
 * @module
 */

import { uplotCss, uplotJs } from "../std/uplot.ts";
import apiJs from "./assets/api.js" with { type: "text" };
import browserJs from "./assets/browser.js" with { type: "text" };
import domJs from "./assets/dom.js" with { type: "text" };
import formatJs from "./assets/format.js" with { type: "text" };
import indexHtml from "./assets/index.html" with { type: "text" };
import listsJs from "./assets/lists.js" with { type: "text" };
import mainJs from "./assets/main.js" with { type: "text" };
import overviewJs from "./assets/overview.js" with { type: "text" };
import pageCss from "./assets/page.css" with { type: "text" };
import plotsJs from "./assets/plots.js" with { type: "text" };
import ratesJs from "./assets/rates.js" with { type: "text" };
import tableJs from "./assets/table.js" with { type: "text" };
import themeJs from "./assets/theme.js" with { type: "text" };

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/** A file. */
export interface Asset {
  /** The path of its URL. */
  readonly path: string;
  /** The media type. */
  readonly type: string;
  readonly text: string;
}

/** All files. */
export const ASSETS: readonly Asset[] = [
  { path: "/", type: HTML, text: indexHtml },
  { path: "/assets/page.css", type: CSS, text: pageCss },
  { path: "/assets/uplot.css", type: CSS, text: uplotCss },
  { path: "/assets/uplot.js", type: SCRIPT, text: uplotJs },
  { path: "/assets/theme.js", type: SCRIPT, text: themeJs },
  { path: "/assets/main.js", type: SCRIPT, text: mainJs },
  { path: "/assets/api.js", type: SCRIPT, text: apiJs },
  { path: "/assets/browser.js", type: SCRIPT, text: browserJs },
  { path: "/assets/dom.js", type: SCRIPT, text: domJs },
  { path: "/assets/format.js", type: SCRIPT, text: formatJs },
  { path: "/assets/lists.js", type: SCRIPT, text: listsJs },
  { path: "/assets/overview.js", type: SCRIPT, text: overviewJs },
  { path: "/assets/plots.js", type: SCRIPT, text: plotsJs },
  { path: "/assets/rates.js", type: SCRIPT, text: ratesJs },
  { path: "/assets/table.js", type: SCRIPT, text: tableJs },
];
