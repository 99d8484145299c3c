// Digests and the chain (chapter 10).

import { createHash } from "node:crypto";

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

const DIGESTS = { "sha-256": sha256, none: () => Buffer.alloc(0) };

/** The names among `names` that are implemented here. */
export const known = (names) => names.filter((name) => Object.hasOwn(DIGESTS, name));

export class Chain {
  constructor(kind, algorithm) {
    this.digestOf = DIGESTS[algorithm];
    this.value = sha256(Buffer.from(kind, "utf-8"));
  }

  /** Takes one content frame and returns its digest. */
  add(type, data) {
    const digest = this.digestOf(data);
    const head = Buffer.alloc(5);
    head[0] = type;
    head.writeUInt32BE(data.length, 1);
    this.value = sha256(this.value, head, digest);
    return digest;
  }
}

export { sha256 };
