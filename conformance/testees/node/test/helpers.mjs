import { fileURLToPath } from "node:url";
import { isContent, NAMES } from "../frames.mjs";

export const SPEC = fileURLToPath(new URL("../../../../spec/", import.meta.url));

/** The names of the frames in `bytes`, which begin with a preface. */
export function typesOf(bytes) {
  const types = [];
  for (let at = 8; at < bytes.length; at += 24 + bytes.readUInt16BE(at + 2) + bytes.readUInt32BE(at + 4)) types.push(bytes[at]);
  return types;
}

/** As in the member `answer` of a vector: content and CREDIT are left aside. */
export const answerOf = (bytes) =>
  typesOf(bytes).filter((type) => !isContent(type) && NAMES[type] !== "CREDIT").map((type) => NAMES[type]);

/** Carries bytes between two sessions until both are silent, in portions of at most `size`. */
export function converse(left, right, size = Infinity) {
  const said = [[], []];
  const ends = [left, right];
  const waiting = [left.start(), right.start()];
  while (waiting[0].length + waiting[1].length > 0) {
    for (const side of [0, 1]) {
      const bytes = waiting[side];
      waiting[side] = Buffer.alloc(0);
      said[side].push(bytes);
      for (let at = 0; at < bytes.length; at += size) {
        waiting[1 - side] = Buffer.concat([waiting[1 - side], ends[1 - side].feed(bytes.subarray(at, at + Math.min(size, bytes.length)))]);
      }
    }
  }
  return said.map((parts) => Buffer.concat(parts));
}
