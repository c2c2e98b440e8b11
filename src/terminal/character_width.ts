/**
 * Returns the number of columns in which a terminal shows a character.
 *
 * The characters of Unicode's East Asian Width `W` and `F` (UAX 11) are wide. Regular expressions have no property for
 * them, so the table below lists their blocks. Emoji are wide, too, and have a property. Unassigned characters within
 * the blocks count as wide, as UAX 11 recommends.
 *
 * @module
 */

/** The first and last character of each block, without the emoji. */
const WIDE_BLOCKS: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f], // Hangul, initial consonants
  [0x2329, 0x232a], // angle brackets
  [0x2e80, 0x303e], // radicals, CJK punctuation
  [0x3041, 0x33ff], // kana, Bopomofo, Hangul letters, enclosed and squared
  [0x3400, 0x4dbf], // ideographs, extension A
  [0x4e00, 0xa4cf], // ideographs, Yi
  [0xa960, 0xa97c], // Hangul, extended A
  [0xac00, 0xd7a3], // Hangul syllables
  [0xf900, 0xfaff], // compatibility ideographs
  [0xfe10, 0xfe19], // vertical forms
  [0xfe30, 0xfe6b], // compatibility and small forms
  [0xff01, 0xff60], // fullwidth forms
  [0xffe0, 0xffe6], // fullwidth signs
  [0x16fe0, 0x18d08], // Tangut, Khitan
  [0x1aff0, 0x1b2fb], // kana, extended; Nüshu
  [0x1f200, 0x1f2ff], // enclosed ideographs
  [0x20000, 0x3fffd], // ideographs, the further planes
];

const EMOJI = /^\p{Emoji_Presentation}/u;
const REGIONAL_INDICATOR = /^\p{Regional_Indicator}/u;
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7ff]/u;

/**
 * Returns the columns of the printable character at the beginning of `text`. They are 0 for one that modifies another.
 */
export function characterWidth(text: string): 0 | 1 | 2 {
  const point = text.codePointAt(0) ?? 0;
  if (point < 0x300) return 1;
  if (ZERO_WIDTH.test(text)) return 0;
  if (WIDE_BLOCKS.some(([first, last]) => point >= first && point <= last)) return 2;
  // Two of these make a flag, which is two columns wide.
  return EMOJI.test(text) && !REGIONAL_INDICATOR.test(text) ? 2 : 1;
}
