// The sender of a pull (owner) or of a push: the state table of section 7.3.

import { createHash } from "node:crypto";
import { content, frames, LIMITS } from "./encode.mjs";
import { Fault, protocol, tooLarge } from "./errors.mjs";
import {
  ATTRIBUTES, CHAIN, COUNT, CREDIT, CREDIT_TO, DIGEST, DIGESTS, DONE, END, KIND, MAX_BYTES, MAX_FRAME, NAME, NAMES, OFFER,
  OPEN, REQUEST, RESUME, SIZE, VERSIONS,
} from "./frames.mjs";
import { Chain, known } from "./integrity.mjs";
import { CONTAINERS, countOf, kindOf } from "./objects.mjs";
import { Session } from "./session.mjs";

export class Sender extends Session {
  #credit = 0n;
  #position = 0n;
  #idle = 0;
  #pieces = null;
  #piece = null;

  /** `source(kind, name)` returns the object asked for, undefined if there is none, or throws a Fault. */
  constructor(source, options = {}) {
    super(options);
    this.source = source;
  }

  /** A sender that pushes one object. */
  static push(name, object, options = {}) {
    return Object.assign(new Sender(() => object, options), { offered: { name, object, kind: kindOf(object) } });
  }

  begin() {
    if (this.offered === undefined) return;
    const { name, object, kind } = this.offered;
    if (kind === undefined) throw new Fault("UNSUPPORTED", `${name}: an object that is neither a container nor a file`);
    this.state = "OFFERED";
    this.survey = this.#survey(name, object);
    const { size, count } = this.survey;
    this.send(OFFER, { [NAME]: name, [KIND]: kind, [SIZE]: size, [COUNT]: count, [ATTRIBUTES]: this.options.attributes });
  }

  codeFor(code) {
    return this.state === "ENDED" ? "UNCONFIRMED" : code;
  }

  release() {
    this.#pieces = this.#piece = this.source = this.offered = this.survey = null;
  }

  onFrame({ type, meta }) {
    const allowed = {
      [REQUEST]: ["IDLE", "OFFERED"], [CREDIT]: ["REQUESTED", "STREAMING", "ENDED"], [DONE]: ["ENDED"],
    }[type];
    const out = type === REQUEST && this.state === "IDLE" && this.offered !== undefined;
    if (!allowed?.includes(this.state) || out) throw protocol(`${NAMES[type]} while ${this.state}`);
    this.meta = meta;
  }

  onComplete({ type, meta }) {
    if (type === REQUEST) return this.#request(meta);
    if (type === CREDIT) return this.#grant(meta.get(CREDIT_TO));
    if (!this.chain.value.equals(meta.get(CHAIN))) throw new Fault("CORRUPT", "DONE confirms another object");
    return this.deliver(null);
  }

  // ---- REQUEST, in the order of section 14.3 ----

  #request(meta) {
    this.state = "REQUESTED";
    const name = meta.get(NAME);
    const kind = meta.get(KIND);
    if (Buffer.byteLength(name) > this.options.maxName) throw tooLarge("the name is too long");
    const versions = meta.get(VERSIONS).filter((version) => this.options.versions.includes(version));
    if (versions.length === 0) throw new Fault("VERSION", "no version in common");
    const digest = meta.get(DIGESTS).find((offer) => known(this.options.digests).includes(offer));
    if (digest === undefined) throw new Fault("DIGEST", "no digest in common");
    if (meta.has(RESUME)) throw new Fault("UNSUPPORTED", "resume is not supported");
    const object = this.#lookUp(kind, name);
    const { size, count, seal } = this.survey ?? this.#survey(name, object);
    if (size > meta.get(MAX_BYTES)) throw tooLarge(`${name}: ${size} bytes, more than the receiver takes`);
    const opened = kindOf(object);
    Object.assign(this, { name, size, count, seal, chain: new Chain(opened, digest), hasDigest: digest !== "none" });
    this.#credit = meta.get(CREDIT_TO);
    const limit = [BigInt(this.options.chunk), meta.get(MAX_FRAME)].reduce((a, b) => (a < b ? a : b));
    this.chunk = Number(limit);
    this.send(OPEN, {
      [VERSIONS]: versions.reduce((a, b) => (a > b ? a : b)), [DIGESTS]: digest, [KIND]: opened, [SIZE]: size,
      [COUNT]: count, [ATTRIBUTES]: this.options.attributes,
    });
    this.state = "STREAMING";
    this.streamed = createHash("sha256");
    this.#pieces = frames(this.#content(object), this.chunk);
    this.#stream();
  }

  #lookUp(kind, name) {
    if (this.offered !== undefined) {
      if (name !== this.offered.name || kind !== this.offered.kind) throw protocol("a REQUEST for another object");
      return this.offered.object;
    }
    const object = this.#produce(kind, name);
    if (object === undefined) throw new Fault("NOT_FOUND", `${name}: not here`);
    const found = kindOf(object);
    if (found === undefined) throw new Fault("UNSUPPORTED", `${name}: neither a container nor a file`);
    if (kind !== (CONTAINERS.includes(found) ? "container" : found)) throw new Fault("NOT_FOUND", `${name}: not here`);
    return object;
  }

  #produce(kind, name) {
    try {
      return this.source(kind, name);
    } catch (error) {
      throw error instanceof Fault ? error : new Fault("SOURCE_FAILED", "the object could not be produced");
    }
  }

  /** Size, count and a hash of the content, without sending it. */
  #survey(name, object) {
    const hash = createHash("sha256");
    let size = 0n;
    for (const { type, bytes } of content(object, name, this.#limits)) {
      size += BigInt(bytes.length);
      hash.update(Buffer.of(type)).update(bytes);
    }
    return { size, count: countOf(object), seal: hash.digest() };
  }

  get #limits() {
    const { inline = LIMITS.inline, types } = this.options;
    return { ...LIMITS, inline, types: new Set(types) };
  }

  /** The content once more, hashed on its way. */
  *#content(object) {
    for (const piece of content(object, this.name, this.#limits)) {
      this.streamed.update(Buffer.of(piece.type)).update(piece.bytes);
      yield piece;
    }
  }

  // ---- content ----

  #grant(credit) {
    if (credit <= this.#credit) {
      this.#idle += 1;
      if (this.#idle > this.options.maxControls) throw tooLarge("too many CREDIT frames that grant nothing");
      return false;
    }
    this.#credit = credit;
    if (this.state === "STREAMING") this.#stream();
    return true;
  }

  #stream() {
    for (;;) {
      if (this.#piece === null) {
        const { value, done } = this.#pieces.next();
        if (done) return this.#finish();
        this.#piece = value;
      }
      const room = this.#credit - this.#position;
      if (room <= 0n) return undefined;
      this.#sendSome(Math.min(this.chunk, room > BigInt(this.chunk) ? this.chunk : Number(room)));
    }
  }

  #sendSome(limit) {
    const { type, bytes } = this.#piece;
    const data = bytes.subarray(0, limit);
    this.#piece = data.length < bytes.length ? { type, bytes: bytes.subarray(limit) } : null;
    this.#position += BigInt(data.length);
    if (this.#position > this.size) throw this.#changed();
    const digest = this.chain.add(type, data);
    this.send(type, { [DIGEST]: this.hasDigest ? digest : undefined }, data);
    this.progress();
  }

  #changed() {
    return new Fault("SOURCE_CHANGED", `${this.name}: the object changed while it was sent`);
  }

  #finish() {
    if (!this.streamed.digest().equals(this.seal)) throw this.#changed();
    this.send(END, { [SIZE]: this.#position, [COUNT]: this.count, [CHAIN]: this.chain.value });
    this.state = "ENDED";
  }
}
