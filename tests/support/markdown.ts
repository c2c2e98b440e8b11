/**
 * Parses the parts of a Markdown file that the tests of pages need: its prose, its code, its links and its headings.
 *
 * It supports the Markdown that `deno fmt` writes, and not all of the language.
 *
 * @module
 */

/** A block between two lines of three backticks. */
export interface CodeBlock {
  /** The word after the backticks, such as `sh`; empty without one. */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The parts of one page. */
export interface Page {
  /** The lines that are neither in a code block nor in the heading matter between `---`. */
  readonly prose: readonly string[];
  readonly blocks: readonly CodeBlock[];
  /** The texts between single backticks in the prose, without the escapes of tables. */
  readonly spans: readonly string[];
  /** The targets of links. */
  readonly links: readonly string[];
  /** The anchors of headings, as GitHub makes them. */
  readonly anchors: ReadonlySet<string>;
}

/** Parses a page. */
export function parsePage(text: string): Page {
  const prose: string[] = [];
  const blocks: { language: string; lines: string[] }[] = [];
  let inBlock = false;
  for (const line of text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n")) {
    const fence = /^```(.*)$/.exec(line);
    if (fence !== null) {
      if (!inBlock) blocks.push({ language: fence[1]!.trim(), lines: [] });
      inBlock = !inBlock;
    } else if (inBlock) blocks.at(-1)!.lines.push(line);
    else prose.push(line);
  }
  // A code span may continue in the next line, but not in the next paragraph.
  const paragraphs = prose.join("\n").split(/\n\n+|\n(?=\|)/);
  const spans = paragraphs.flatMap((text) => [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span!))
    .map((span) => span.replaceAll("\\|", "|").replaceAll(/\n\s*/g, " "));
  const links = [...prose.join("\n").matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  const headings = prose.flatMap((line) => /^#+ (.*)$/.exec(line)?.[1] ?? []);
  return { prose, blocks, spans, links, anchors: new Set(headings.map(anchorOf)) };
}

function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

/** Returns the commands of a block of shell lines, without comments. A backslash at the end continues a line. */
export function shellCommands({ lines }: CodeBlock): string[] {
  return lines.join("\n").replaceAll("\\\n", " ").split("\n").map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Returns the cells of the table that follows a line with this heading row's first cell. */
export function tableRows({ prose }: Page, firstCell: string): string[][] {
  const begin = prose.findIndex((line) => cellsOf(line)?.[0] === firstCell);
  if (begin < 0) throw new Error(`Cannot find the table "${firstCell}"`);
  const rows: string[][] = [];
  for (const line of prose.slice(begin + 2)) {
    const cells = cellsOf(line);
    if (cells === undefined) break;
    rows.push(cells);
  }
  return rows;
}

function cellsOf(line: string): string[] | undefined {
  if (!line.startsWith("|")) return undefined;
  return line.slice(1).replace(/\|\s*$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
}
