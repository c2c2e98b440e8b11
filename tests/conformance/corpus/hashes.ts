/** Hashes. */

import { type Group, group, transcript } from "../transcript.ts";

const LONG = "x".repeat(20_000);

/** Returns one step with many words. */
function line(text: string): ReturnType<typeof transcript> {
  return transcript(Object.assign([text], { raw: [text] }));
}

/** Scenarios about hashes. */
export const HASHES: Group = group("hashes", {
  "hset and hget": transcript`
    hset h f v
    hset h f w
    hget h f
    hset h f x g y
    hset h a 1 b 2 a 3
    hget h a
    hget h absent
    hget absent f
    hlen h
    hlen absent
    hset h "" "" "\x00\xff" "\r\n"
    hget h ""
    hget h "\x00\xff"
    hset h long ${LONG}
    hget h long
    hset h ${LONG} field
    hget h ${LONG}
    hset h f
    hset h
    hset
    hset h f v g
    hget h
    hget
    hget h f g
    hlen
    hlen h i
    set s v
    hset s f v
    hget s f
    hlen s
    rpush l a
    hset l f v
    hget l f
  `,
  "hmset, hmget and hsetnx": transcript`
    hmset h a 1 b 2
    hmget h a b c
    hmget h a a
    hmget absent a b
    hmset h a
    hmset h a 1 b
    hmset h
    hmset
    hmget h
    hmget
    hsetnx h a x
    hget h a
    hsetnx h n x
    hsetnx fresh f v
    hgetall fresh
    hsetnx h n
    hsetnx
    hsetnx h n v w
    set s v
    hmset s a 1
    hmget s a
    hsetnx s a 1
  `,
  "hdel, hexists and hstrlen": transcript`
    hset h a 1 b 2 c 3 d 4
    hdel h a
    hdel h a
    hdel h b absent c
    hdel h d d
    exists h
    hdel h d
    hdel absent f
    hdel h
    hdel
    hset h f value "" ""
    hexists h f
    hexists h absent
    hexists absent f
    hexists h ""
    hexists h
    hexists
    hstrlen h f
    hstrlen h ""
    hstrlen h absent
    hstrlen absent f
    hstrlen h
    hstrlen
    hset h n 12345
    hstrlen h n
    set s v
    hdel s f
    hexists s f
    hstrlen s f
  `,
  "hgetall, hkeys and hvals": transcript`
    hgetall absent
    hkeys absent
    hvals absent
    hset h a 1
    hgetall h
    hkeys h
    hvals h
    hset h b 2 c 3 d "" "" e
    hgetall h
    hkeys h
    hvals h
    hgetall
    hgetall h i
    hkeys
    hvals
    set s v
    hgetall s
    hkeys s
    hvals s
  `,
  "hincrby": transcript`
    hincrby h n 1
    hincrby h n 10
    hincrby h n -20
    hget h n
    hset h n 9223372036854775807
    hincrby h n 1
    hincrby h n -1
    hset h n -9223372036854775808
    hincrby h n -1
    hset h n abc
    hincrby h n 1
    hset h n ""
    hincrby h n 1
    hset h n 1.5
    hincrby h n 1
    hset h n " 1"
    hincrby h n 1
    hset h n 01
    hincrby h n 1
    hset h n 1
    hincrby h n abc
    hincrby h n 1.5
    hincrby h n ""
    hincrby h n 9223372036854775808
    hincrby fresh f -5
    hincrby h n
    hincrby
    hincrby h n 1 2
    set s 1
    hincrby s f 1
    hincrby s f abc
  `,
  "hincrbyfloat": transcript`
    hincrbyfloat h f 10.5
    hincrbyfloat h f 0.1
    hincrbyfloat h f -5
    hincrbyfloat h f 5.0e3
    hget h f
    hset h f 3.0e3
    hincrbyfloat h f 200
    hincrbyfloat h g 0
    hincrbyfloat fresh f 1.5
    hincrbyfloat h f abc
    hincrbyfloat h f ""
    hincrbyfloat h f nan
    hincrbyfloat h f inf
    hincrbyfloat h f -inf
    hset h f abc
    hincrbyfloat h f 1
    hset h f " 1"
    hincrbyfloat h f 1
    hset h f ""
    hincrbyfloat h f 1
    hset h i 10
    hincrbyfloat h i 2
    hincrby h i 1
    hincrbyfloat h f
    hincrbyfloat
    set s 1
    hincrbyfloat s f 1
    hincrbyfloat h tenth 0.1
    hincrbyfloat h tenth 0.2
    hincrbyfloat h big 1e20
  `,
  "hrandfield": transcript`
    hrandfield absent
    hrandfield absent 5
    hrandfield absent 5 withvalues
    hrandfield absent -5
    hset one f v
    hrandfield one
    hrandfield one 1
    hrandfield one 5
    hrandfield one -3
    hrandfield one 1 withvalues
    hrandfield one 5 WITHVALUES
    hrandfield one -3 withvalues
    hrandfield one 0
    hrandfield one 0 withvalues
    hset h a 1 b 2 c 3
    hrandfield h 3
    hrandfield h 10
    hrandfield h 3 withvalues
    hrandfield h 10 withvalues
    hrandfield h -10
    hrandfield h -4 withvalues
    hrandfield h abc
    hrandfield h 1.5
    hrandfield h 1 foo
    hrandfield h 1 withvalues foo
    hrandfield h withvalues
    hrandfield h 9223372036854775807
    hrandfield h -9223372036854775808
    hrandfield h -9223372036854775808 foo
    hrandfield h -9223372036854775808 withvalues
    hrandfield h -9223372036854775807 withvalues
    hrandfield h -9223372036854775807 foo
    hrandfield h -4611686018427387904 withvalues
    hrandfield h 4611686018427387904 withvalues
    hrandfield h 4611686018427387903 withvalues
    hrandfield absent -9223372036854775807
    hrandfield absent -4611686018427387903 withvalues
    hrandfield h 5000000000000000000 withvalues
    hrandfield h -5000000000000000000 withvalues
    hrandfield h 9223372036854775808
    hrandfield
    set s v
    hrandfield s
    hrandfield s 1
    hrandfield s -9223372036854775807
    hrandfield s -4611686018427387903 withvalues
    hrandfield s abc
  `,
  "counts next to the bounds of 64 bits": transcript`
    hset h a 1
    hrandfield h -9223372036854775808 withvalues
    hrandfield h 4611686018427387904 withvalues
  `,
  "hscan": transcript`
    hscan absent 0
    hset h a 1 b 2 c 3 ab 4
    hscan h 0
    hscan h 0 COUNT 100
    hscan h 0 match a*
    hscan h 0 MATCH nothing COUNT 10
    hscan h 0 match "[ab]" count 10
    hscan h 0 count 0
    hscan h 0 count -1
    hscan h 0 count abc
    hscan h 0 match
    hscan h 0 count
    hscan h 0 foo
    hscan h 0 foo 1
    hscan h 0 novalues
    hscan h 0 type string
    hscan h abc
    hscan h 99999999999999999999999
    hscan h
    hscan
    hscan absent abc
    set s v
    hscan s 0
    hscan s abc
  `,
  "object encoding of hashes": transcript`
    hset h a 1
    object encoding h
    hset h b ${LONG}
    object encoding h
    hset g ${LONG} v
    object encoding g
  `,
  "a large hash": [
    ...line(`hset h ${Array.from({ length: 1000 }, (_, i) => `field-${i} value-${i}`).join(" ")}`),
    ...transcript`
      hlen h
      hgetall h
      hkeys h
      hvals h
      hget h field-500
      hmget h field-0 field-999 field-1000
      hdel h field-0 field-1 field-2 field-3
      hlen h
      hscan h 0 count 100000
      hscan h 0 match field-99? count 100000
      hrandfield h 2000
      hrandfield h 2000 withvalues
      hrandfield h -5
      hincrby h n 5
      hset h field-500 ${LONG}
      hstrlen h field-500
      del h
      exists h
    `,
  ],
  "a hash with a TTL": transcript`
    hset h a 1
    expire h 100
    hset h b 2
    ttl h
    hdel h a
    ttl h
    hincrby h b 1
    ttl h
    hdel h b
    ttl h
    hset h a 1
    ttl h
    pexpire h 20
    :sleep 40
    hget h a
    hgetall h
    hset h a 2
    hlen h
    ttl h
  `,
});
