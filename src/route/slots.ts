/**
 * The owner of a slot, and so of every key in it (`key_slot.ts` defines the slot of a key): a pure function of the list
 * of servers.
 *
 * It is weighted rendezvous hashing: each server draws a score for each slot, and the highest score owns the slot. A
 * draw depends only on the server and the slot. Therefore:
 *
 * - Programs with the same set of servers compute the same table, for any order in the file.
 * - A server that leaves gives up its own slots, and no others move.
 * - A changed weight moves slots to or from that server only.
 *
 * To agree, other implementations compute:
 *
 * ```text
 * seed(address)  = FNV-1a, 64 bits, over the UTF-8 of "host:port" in its canonical spelling (address.ts)
 *                  (offset basis cbf29ce484222325, prime 100000001b3)
 * z(slot)        = output number slot + 1 of SplitMix64 seeded with it, all modulo 2^64:
 *                    z = seed + (slot + 1) · 9e3779b97f4a7c15
 *                    z = (z ^ z >> 30) · bf58476d1ce4e5b9
 *                    z = (z ^ z >> 27) · 94d049bb133111eb
 *                    z =  z ^ z >> 31
 * u              = ((z >> 12) + 0.5) / 2^52       strictly between 0 and 1, exact in a double
 * score          = -weight / ln(u)                the highest wins; if equal, the lesser address
 * ```
 *
 * Server i thus wins a slot with probability weight_i / Σ weight: -ln(u) is exponentially distributed, dividing it by
 * the weight makes the weight its rate, and the probability of being the least of several exponentials is proportional
 * to the rate.
 *
 * @module
 */

import { assert } from "../errors.ts";
import { SERVERS_MAX_COUNT, SLOTS_COUNT } from "../limits.ts";

/** One server of the cluster. Its address is its identity: the routing depends only on it and on the weight. */
export interface Member {
  /** `host:port` in its canonical spelling (address.ts). */
  readonly address: string;
  /** The server's share of the slots, relative to the sum of all weights. */
  readonly weight: number;
}

/** Returns the 64-bit FNV-1a hash of an address, which seeds its draws and names it in the cursors of `scan`. */
export function hashAddress(address: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(address)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/**
 * Returns the owner of each slot, as its position in `members`.
 *
 * It takes about 20 ns per slot and server. The positions depend on the order of `members`; the owners' addresses do
 * not.
 *
 * @param members 1 to `SERVERS_MAX_COUNT` servers without duplicate addresses
 * @returns 16,384 positions, owned by the caller
 */
export function ownersOf(members: readonly Member[]): Uint16Array {
  assert(members.length > 0 && members.length <= SERVERS_MAX_COUNT, "a cluster has 1 to SERVERS_MAX_COUNT servers");
  assert(new Set(members.map((member) => member.address)).size === members.length, "each address is listed once");
  const owners = new Uint16Array(SLOTS_COUNT);
  const best = new Float64Array(SLOTS_COUNT);
  const draws = new Float64Array(SLOTS_COUNT);
  // The order is that of addresses, so that the lesser one keeps a slot when the scores are equal.
  const order = members.map((_, position) => position)
    .sort((a, b) => members[a]!.address < members[b]!.address ? -1 : 1);
  for (const position of order) {
    const { address, weight } = members[position]!;
    drawAll(address, draws);
    for (let slot = 0; slot < SLOTS_COUNT; slot++) {
      const score = -weight / Math.log(draws[slot]!);
      if (score > best[slot]!) {
        best[slot] = score;
        owners[slot] = position;
      }
    }
  }
  return owners;
}

/**
 * Returns the server of each slot when only some servers can serve: its owner, or the next by rendezvous among those
 * that can.
 *
 * @param home the owners of all slots, from {@linkcode ownersOf}
 * @param canServe whether the server at each position in `members` can serve
 * @returns positions in `members`; `home` itself when no server can serve, or all can
 */
export function standInsFor(
  members: readonly Member[],
  home: Uint16Array,
  canServe: readonly boolean[],
): Uint16Array {
  const left = members.map((_, position) => position).filter((position) => canServe[position]);
  if (left.length === 0 || left.length === members.length) return home;
  // A server that is left out gives up its own slots and no others move, so all other slots keep the owner of `home`.
  return ownersOf(left.map((position) => members[position]!)).map((position) => left[position]!);
}

/** Returns how many slots each of `count` positions owns. */
export function countSlots(owners: Uint16Array, count: number): Uint32Array {
  const slots = new Uint32Array(count);
  for (let slot = 0; slot < owners.length; slot++) slots[owners[slot]!]!++;
  return slots;
}

/**
 * Fills `draws` with u of every slot. SplitMix64 uses pairs of 32-bit halves, since a BigInt per step costs 50 times
 * more.
 */
function drawAll(address: string, draws: Float64Array): void {
  const seed = hashAddress(address);
  let stateHigh = Number(seed >> 32n);
  let stateLow = Number(seed & 0xffffffffn);
  for (let slot = 0; slot < draws.length; slot++) {
    const sum = stateLow + 0x7f4a7c15;
    stateLow = sum >>> 0;
    stateHigh = (stateHigh + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    let high = stateHigh;
    let low = stateLow;

    let x = low ^ (low >>> 30 | high << 2);
    let y = high ^ (high >>> 30);
    high = (highProduct(x, 0x1ce4e5b9) + Math.imul(x, 0xbf58476d) + Math.imul(y, 0x1ce4e5b9)) | 0;
    low = Math.imul(x, 0x1ce4e5b9);

    x = low ^ (low >>> 27 | high << 5);
    y = high ^ (high >>> 27);
    high = (highProduct(x, 0x133111eb) + Math.imul(x, 0x94d049bb) + Math.imul(y, 0x133111eb)) | 0;
    low = Math.imul(x, 0x133111eb);

    x = low ^ (low >>> 31 | high << 1);
    y = high ^ (high >>> 31);
    draws[slot] = ((y >>> 0) * 0x100000 + (x >>> 12) + 0.5) / 2 ** 52;
  }
}

/** Returns the upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + (((middle & 0xffff) + aLow * bHigh) / 0x10000 | 0) | 0;
}
