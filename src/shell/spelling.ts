/**
 * Compares words as people mistype them.
 *
 * @module
 */

/** The most typing errors by which a word is still taken for another one. */
export const SLIPS_MAX_COUNT = 2;

/**
 * Returns how many letters have to be inserted, removed, replaced, or exchanged with the next one, to turn one word
 * into the other; `Infinity` when their lengths alone differ by more than {@linkcode SLIPS_MAX_COUNT}.
 */
export function countSlips(from: string, to: string): number {
  // Words of such different lengths are not similar.
  if (Math.abs(from.length - to.length) > SLIPS_MAX_COUNT) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const exchanged = isExchanged ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1, exchanged));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}

/** Returns the names that are closest to the typed word, if they are close enough to be meant by it. */
export function nearestNames(typed: string, names: readonly string[]): string[] {
  // Of a short word, half of the letters may be wrong; more is another word.
  let fewest = Math.min(SLIPS_MAX_COUNT, Math.floor(typed.length / 2));
  let nearest: string[] = [];
  for (const name of names) {
    const slips = countSlips(typed, name);
    if (slips > fewest) continue;
    if (slips < fewest) nearest = [];
    fewest = slips;
    nearest.push(name);
  }
  return nearest;
}
