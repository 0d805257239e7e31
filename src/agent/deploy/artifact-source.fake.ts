import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Artifact, OpenedArtifact, ReleaseRegistry } from "../release.ts";

export interface FakeSourceOptions {
  body: Uint8Array;
  /** Whether it can begin elsewhere than at 0. */
  resumes?: boolean;
  /** How many bytes to send before each cut, in order; afterwards it sends everything. */
  cutAfter?: number[];
  /** How many opened bodies, from the first, stop sending after one chunk. */
  hangs?: number;
  /** Thrown by the opening, in order. */
  failures?: Error[];
}

/** A release registry of one artifact, over a source that behaves as badly as it is told to. */
export class FakeArtifactSource implements ReleaseRegistry {
  readonly name = "fake://source";
  /** The `from` of each opening. */
  readonly opened: number[] = [];
  body: Uint8Array;
  readonly #options: Required<Omit<FakeSourceOptions, "body">>;

  constructor({ body, ...options }: FakeSourceOptions) {
    this.body = body;
    this.#options = { resumes: true, cutAfter: [], hangs: 0, failures: [], ...options };
  }

  async tags(): Promise<readonly string[]> {
    return [];
  }

  async release(): Promise<undefined> {
    return undefined;
  }

  async open(_artifact: Artifact, call: Call & { from: number }): Promise<OpenedArtifact> {
    this.opened.push(call.from);
    const failure = this.#options.failures.shift();
    if (failure) throw failure;
    const from = this.#options.resumes ? call.from : 0;
    const hangs = this.opened.length <= this.#options.hangs;
    return { bytes: hangs ? this.#hang() : this.#send(from), from };
  }

  async close(): Promise<void> {}

  async *#send(from: number): Bytes & AsyncGenerator<Uint8Array> {
    const cutAfter = this.#options.cutAfter.shift();
    const end = cutAfter === undefined ? this.body.length : from + cutAfter;
    for (let at = from; at < end; at += 1000) {
      yield this.body.subarray(at, Math.min(at + 1000, end));
    }
    if (cutAfter !== undefined) throw new Error("socket hang up");
  }

  /** As badly as can be: it does not listen to the signal either. */
  async *#hang(): Bytes & AsyncGenerator<Uint8Array> {
    yield this.body.subarray(0, 10);
    await new Promise<never>(() => {});
  }
}
