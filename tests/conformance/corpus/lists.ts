/** Lists. */

import { type Group, group, transcript } from "../transcript.ts";

const MANY = Array.from({ length: 600 }, (_, i) => `element-${i}`).join(" ");
const LONG = "x".repeat(20_000);

/** Returns one step with many words. */
function line(text: string): ReturnType<typeof transcript> {
  return transcript(Object.assign([text], { raw: [text] }));
}

/** Scenarios about lists. */
export const LISTS: Group = group("lists", {
  "push and pop": transcript`
    lpush l a
    lpush l b c d
    rpush l x y z
    lrange l 0 -1
    llen l
    lpop l
    rpop l
    lpop l 2
    rpop l 2
    lrange l 0 -1
    lpop l 10
    lpop l
    rpop l
    lpop l 2
    rpop l 2
    lpop l 0
    exists l
    llen l
    rpush l a b
    lpop l 0
    rpop l 0
    lpop l -1
    rpop l -1
    lpop l abc
    lpop l 1.5
    lpop l ""
    lpop l 9223372036854775807
    rpush l a
    lpop l 9223372036854775808
    lpop l 1 2
    rpop l 1 2
    lpop
    rpop
    lpush
    lpush l
    rpush l
    rpush
    llen
    llen a b
    lpush l "" "\x00\xff" "\r\n"
    lrange l 0 -1
    rpush l ${LONG}
    rpop l
  `,
  "pushes to an existing list": transcript`
    lpushx l a
    rpushx l a
    exists l
    rpush l m
    lpushx l a b
    rpushx l y z
    lrange l 0 -1
    lpushx l
    rpushx l
    lpushx
    set s v
    lpushx s a
    rpushx s a
  `,
  "lists and other types": transcript`
    set s v
    hset h f v
    lpush s a
    rpush h a
    lpop s
    rpop s 2
    llen s
    lrange s 0 -1
    lindex s 0
    lset s 0 x
    linsert s before a b
    lrem s 0 a
    ltrim s 0 1
    lpos s a
    lmove s d left left
    lmove h d left left
    rpoplpush s d
    blpop s 1
    brpop h 1
    blmove s d left left 1
    brpoplpush s d 1
    rpush l a
    lmove l s left left
    rpoplpush l h
    lrange l 0 -1
    lpop s 0
    lpop s -1
  `,
  "lindex, lset and lrange": transcript`
    rpush l a b c d e
    lindex l 0
    lindex l 4
    lindex l -1
    lindex l -5
    lindex l 5
    lindex l -6
    lindex l abc
    lindex l 1.5
    lindex l 9223372036854775807
    lindex l -9223372036854775808
    lindex l 9223372036854775808
    lindex absent 0
    lindex absent abc
    lindex l
    lindex
    lset l 0 A
    lset l -1 E
    lset l 2 ""
    lrange l 0 -1
    lset l 5 x
    lset l -6 x
    lset l abc x
    lset absent 0 x
    lset absent abc x
    lset l 0
    lset
    lset l 1 ${LONG}
    lindex l 1
    lrange l 2 3
    lrange l -2 -1
    lrange l 3 100
    lrange l 5 10
    lrange l 3 2
    lrange l -100 0
    lrange l -1 -3
    lrange l a 1
    lrange l 0 b
    lrange l 0 1.5
    lrange l -9223372036854775808 9223372036854775807
    lrange l 9223372036854775807 9223372036854775807
    lrange absent 0 -1
    lrange absent a b
    lrange l 0
    lrange
  `,
  "linsert": transcript`
    rpush l a b c b
    linsert l BEFORE b x
    linsert l after b y
    linsert l Before a first
    linsert l AFTER c z
    lrange l 0 -1
    linsert l before absent x
    linsert absent before a x
    exists absent
    linsert l between a x
    linsert absent between a x
    linsert l before a
    linsert l
    linsert
    linsert l before a b c
    linsert l before "" x
    linsert l before a ""
    linsert l after z ${LONG}
    llen l
  `,
  "lrem": transcript`
    rpush l a b a c a b a
    lrem l 2 a
    lrange l 0 -1
    lrem l -1 a
    lrange l 0 -1
    lrem l 0 b
    lrange l 0 -1
    lrem l 0 absent
    lrem l 5 c
    lrem l 0 a
    exists l
    lrem absent 0 a
    lrem l abc a
    lrem absent abc a
    rpush l 1 2 3
    lrem l 1.5 a
    lrem l 9223372036854775807 1
    lrem l -9223372036854775807 2
    lrem l 9223372036854775808 2
    lrange l 0 -1
    lrem l 0
    lrem l
    lrem
  `,
  "ltrim": transcript`
    rpush l a b c d e f
    ltrim l 1 -2
    lrange l 0 -1
    ltrim l 0 100
    lrange l 0 -1
    ltrim l -2 -1
    lrange l 0 -1
    ltrim l -100 0
    lrange l 0 -1
    ltrim l 5 10
    exists l
    rpush l a b c
    ltrim l 2 1
    exists l
    rpush l a b c
    ltrim l -1 -2
    exists l
    ltrim absent 0 1
    ltrim absent a b
    rpush l a b c
    ltrim l a 1
    ltrim l 0 b
    ltrim l 0
    ltrim
    ltrim l -9223372036854775808 9223372036854775807
    lrange l 0 -1
  `,
  "lpos": transcript`
    rpush l a b c 1 2 3 c c
    lpos l c
    lpos l c RANK 2
    lpos l c RANK -1
    lpos l c RANK -2
    lpos l c RANK 4
    lpos l c COUNT 2
    lpos l c COUNT 0
    lpos l c RANK -1 COUNT 2
    lpos l c RANK 2 COUNT 0
    lpos l c COUNT 0 MAXLEN 3
    lpos l c MAXLEN 2
    lpos l c MAXLEN 0
    lpos l c rank -1 maxlen 1
    lpos l c RANK -1 COUNT 0 MAXLEN 2
    lpos l absent
    lpos l absent COUNT 0
    lpos absent c
    lpos absent c COUNT 0
    lpos l c RANK 0
    lpos l c RANK abc
    lpos l c RANK -9223372036854775808
    lpos l c COUNT -1
    lpos l c COUNT abc
    lpos l c MAXLEN -1
    lpos l c MAXLEN abc
    lpos l c RANK
    lpos l c COUNT
    lpos l c FOO 1
    lpos l c RANK 1 RANK 2
    lpos absent c RANK 0
    lpos absent c FOO 1
    lpos l
    lpos
    lpos l 2
    lpos l ""
  `,
  "lmove and rpoplpush": transcript`
    rpush a 1 2 3
    lmove a b LEFT RIGHT
    lmove a b RIGHT LEFT
    lmove a b left left
    lrange b 0 -1
    exists a
    lmove a b right right
    lmove absent b left left
    lmove b b LEFT RIGHT
    lrange b 0 -1
    lmove b b RIGHT LEFT
    lmove b b LEFT LEFT
    lmove b b RIGHT RIGHT
    lrange b 0 -1
    lmove b c UP LEFT
    lmove b c LEFT DOWN
    lmove absent c UP LEFT
    lmove b c LEFT
    lmove b c
    lmove
    lmove b c left right extra
    rpoplpush b c
    rpoplpush b b
    lrange b 0 -1
    lrange c 0 -1
    rpoplpush absent c
    rpoplpush b
    rpoplpush
    rpush one x
    lmove one one left right
    lrange one 0 -1
    rpoplpush one one
    expire one 100
    lmove one one left left
    ttl one
    lmove one two left left
    ttl two
    set s v
    rpoplpush absent s
    lmove absent s left left
  `,
  "a large list": [
    ...line(`rpush l ${MANY}`),
    ...transcript`
      llen l
      lrange l 0 -1
      lindex l 300
      lindex l -300
      lset l 300 changed
      lpos l element-599
      lpos l changed
      linsert l before element-400 inserted
      lindex l 400
      lrem l 0 element-10
      lrange l 5 15
      ltrim l 100 499
      llen l
      lrange l 0 5
      lpop l 150
      rpop l 100
      lrange l 0 -1
      lmove l l left right
      lrange l -3 -1
    `,
  ],
  "object encoding of lists": transcript`
    rpush l a
    object encoding l
    rpush l ${LONG}
    object encoding l
  `,
  "one-element and repeated elements": transcript`
    rpush l a
    lrem l 1 a
    exists l
    rpush l a a a a
    lrem l -3 a
    lrange l 0 -1
    rpush l 1 01 +1 1.0 -1
    lrange l 0 -1
    lrem l 0 1
    lrange l 0 -1
    lpos l 01
    lset l 0 123456789012345678901234567890
    lindex l 0
    rpush n 9223372036854775807 -9223372036854775808 9223372036854775808
    lrange n 0 -1
    lrem n 1 9223372036854775807
    lpos n -9223372036854775808
  `,
});
