/**
 * How comments, messages and pages are worded, as tables: each row is a pattern that is a fault, and what to write
 * instead. A row belongs here if it can be found by a pattern and is nearly always wrong; everything else is a
 * reviewer's to see.
 *
 * In a pattern, a space stands for any white space, a line's end included. Code in backticks, links and drawings are
 * blanked before patterns are applied.
 *
 * @module
 */

/** One row. */
export interface ProseRule {
  /** The name of the rule, as each fault prints it. */
  readonly name: string;
  readonly pattern: RegExp;
  /** What to write instead. */
  readonly instead: string;
  /** The folders in which it holds; without it, in all. */
  readonly folders?: readonly string[];
}

/** Doc comments are read alone in an editor's hover, so their first words name what they are about. */
export const OPENINGS: readonly ProseRule[] = [
  {
    name: "pronoun",
    pattern: /^(?:Those|These|That|It|Its|They|Their|Theirs|Them|His|Whose|Which|Who|Whom|Such|Others?)\b/,
    instead: "name the thing itself",
  },
  {
    name: "pronoun",
    pattern: /^(?:All|One|None|Some|Most|Many|Each|Both|Several|Another) (?:of (?:it|them|these|those)\b|one a\b)/,
    instead: "name the things themselves",
  },
  {
    name: "pronoun",
    pattern: /^The (?:same|one|ones|other|others|rest|latter|former)\b/,
    instead: "name the thing itself",
  },
  {
    name: "pronoun",
    pattern: /^[A-Z][a-z]+s (?:it|them|one|those|him|itself)[.,;:]/,
    instead: "name what the function acts on",
  },
  {
    name: "fragment",
    pattern: /^As (?:\{@link|`|of\b|before\b|above\b|the\b)/,
    instead: '"Does what … does, but …" or "Like …, but …"',
  },
  {
    name: "fragment",
    pattern: /^(?:Of|So|Behind|Told|Has|From|By(?! default)|Because|Since|Though|Although|Until)\b/,
    instead: "begin with the subject, or with a verb in the third person",
  },
  { name: "headless", pattern: /^(?:What|Why)\b/, instead: 'begin with a noun: "The …"', folders: ["src"] },
  { name: "see", pattern: /^See\b/, instead: "say it here in a sentence" },
  { name: "see", pattern: /\b[Ss]ee the module's comment\b/, instead: "say it here in a sentence, or link the symbol" },
  { name: "tells", pattern: /^Tells\b/, instead: '"Returns", "Reports", "Logs", "Notifies"' },
];

/** Words that have a plainer one. */
export const WORDS: readonly ProseRule[] = [
  {
    name: "behind",
    pattern:
      /(?<!\b(?:fall|falls|fell|lag|lags|left|leaves?|leaving) )\bbehind\b(?! (?:an?|the) (?:prox|firewall|NAT|load|router|registry|mirror))/i,
    instead: '"after", "next", "following"',
  },
  { name: "answers", pattern: /\banswers\b/i, instead: '"returns" for a value, "replies" for a client\'s reply' },
  { name: "tells", pattern: /\btold\b(?! otherwise)/i, instead: '"given", "notified", "reported", "configured"' },
  {
    name: "tells",
    pattern: /\btells?\b(?= (?:of|in|apart|which|how|what|whether|when|where|why|us)\b)/i,
    instead: '"reports", "shows", "says", "distinguishes"',
  },
  { name: "stands", pattern: /\bstands?\b(?!-in|-ins| (?:for|in for|out)\b)/i, instead: '"is"' },
  {
    name: "said",
    pattern: /\b(?:is|are|was|were|be|been|has|have) said\b/i,
    instead: '"specified", "sent", "written"',
  },
  { name: "anew", pattern: /\banew\b/i, instead: '"again"' },
  { name: "at once", pattern: /\bat once\b/i, instead: '"immediately", or "at the same time"' },
  { name: "at hand", pattern: /\bat hand\b/i, instead: '"available"' },
  { name: "by chance", pattern: /\bby chance\b/i, instead: '"at random"' },
  { name: "come by", pattern: /\bcomes? by\b/i, instead: '"gets"' },
  { name: "come into being", pattern: /\b(?:comes?|came) into being\b/i, instead: '"is created"' },
  { name: "for ever", pattern: /\bfor ever\b/i, instead: '"forever", "without a limit"' },
  { name: "for good", pattern: /\bfor good\b/i, instead: '"permanently"' },
  {
    name: "is no",
    pattern:
      /(?<!\bthere )\b(?:is|are|was) no (?!longer|larger|smaller|more than|less|fewer|later|earlier|faster|slower|better|worse|other|different)/i,
    instead: '"is not a …"',
  },
  { name: "lets go", pattern: /\blets? go(?: of)?\b/i, instead: '"releases"' },
  { name: "nobody", pattern: /\bnobody\b/i, instead: '"no client", "no code", "nothing"' },
  { name: "of its own", pattern: /\bof (?:its|their|his) own\b/i, instead: '"its own …", "a separate …"' },
  {
    name: "so many",
    pattern: /\bso (?:many|much|long)\b(?! (?:as|that)\b)(?![^.;:]* (?:that|as)\b)/i,
    instead: '"this many", or the number itself',
  },
  { name: "takes note", pattern: /\b(?:takes?|taken|took) note\b/i, instead: '"records"' },
  { name: "thinks fit", pattern: /\bthinks? fit\b/i, instead: "say who does what, and when" },
  { name: "whatever", pattern: /\bwhatever\b/i, instead: '"any …", "regardless of …"' },
  { name: "whoever", pattern: /\bwhoever\b/i, instead: '"the client that …", "a caller that …"' },
];

/**
 * Parts of messages that clients read as replies, so that their words stay as they are. One that is in no message of
 * `src/` any more fails a test.
 */
export const FIXED_TEXTS: readonly string[] = [
  "Cannot add up a reply that is no integer",
  "Cannot join a reply with a length that is no number",
  "Cannot tell whether the last commands will last: ",
  "a server has answered what is no reply",
  " bytes behind the request: expected none",
  " bytes wait behind this command",
  "expected LF behind CR",
  "expected a line's end behind ",
  "it answered what nobody had asked",
  "it has said nothing for ",
  "it sent what is no message",
  ", and is connected to anew",
  "nobody listens there",
  "this is no HTTP server",
];
