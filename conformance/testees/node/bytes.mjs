// A queue of bytes that arrive in portions and are taken in others.

export class ByteQueue {
  #chunks = [];
  length = 0;

  push(bytes) {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.length += bytes.length;
  }

  peek(index) {
    for (const chunk of this.#chunks) {
      if (index < chunk.length) return chunk[index];
      index -= chunk.length;
    }
    return undefined;
  }

  /** The next `count` bytes, or null while there are fewer. */
  take(count) {
    if (this.length < count) return null;
    if (this.#chunks.length > 1 && this.#chunks[0].length < count) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.some(count);
  }

  /** At most `count` of the next bytes, as a view without copying; at least one if there is any and count > 0. */
  some(count) {
    const first = this.#chunks[0];
    if (first === undefined || count === 0) return Buffer.alloc(0);
    if (first.length <= count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    const taken = first.subarray(0, count);
    this.length -= taken.length;
    return taken;
  }
}
