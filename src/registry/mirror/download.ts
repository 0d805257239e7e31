import { type Bytes, BytesError, limited } from "../../base/bytes.ts";
import { type Call, orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { HttpError } from "../../base/http-error.ts";
import { backoffMs } from "../../base/retry.ts";
import { algorithmOf, type Digest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { blobDataPath, uploadDataPath } from "../images/paths.ts";
import type { Upload } from "../images/uploads.ts";
import { StorageError } from "../storage-driver.ts";
import type { MirrorCache } from "./mirror-cache.ts";
import { piecesOf } from "./pieces.ts";
import type { Place } from "./upstream.ts";

export interface DownloadParts {
  cache: MirrorCache;
  clock: Clock;
  /** Ends when the mirror is closed: who asked first may leave while others still wait. */
  call: Call;
}

/** What is wanted, and how long it has to be where a manifest has told. */
export interface Wanted {
  place: Place;
  digest: Digest;
  expectedSize: number | undefined;
}

const backoff = { firstMs: 200, maximumMs: 5_000 };
const maximumAttempts = 5;
const longestWaitMs = 30_000;

/**
 * One blob on its way from its registry into the cache. Everybody who wants it reads what is stored
 * so far, and waits for more; but nobody gets the last byte before the digest is checked.
 */
export class Download {
  /** The size of the blob, as soon as it is known. */
  readonly size: Promise<number>;
  /** Settles when it is stored, or cannot be. */
  readonly done: Promise<void>;
  readonly #wanted: Wanted;
  readonly #parts: DownloadParts;
  readonly #sizeKnown: (size: number) => void;
  #knownSize: number | undefined;
  #upload: Upload | undefined;
  #isVerified = false;
  #isDone = false;
  #progress = signalOnce();

  constructor(wanted: Wanted, parts: DownloadParts) {
    this.#wanted = wanted;
    this.#parts = parts;
    let known: (size: number) => void = () => {};
    const size = new Promise<number>((resolve) => {
      known = resolve;
    });
    this.#sizeKnown = known;
    this.done = this.#run();
    this.done.catch(() => {}); // whoever reads hears of it
    this.size = Promise.race([size, this.done.then(() => this.#knownSize ?? 0)]);
    this.size.catch(() => {});
  }

  /** The bytes of the blob in a range, as they come. @throws what has ended the download */
  async *read(
    { from, to }: { from: number; to: number },
    { signal }: Call,
  ): AsyncGenerator<Uint8Array> {
    const { cache } = this.#parts;
    const release = cache.pin(this.#wanted.digest);
    try {
      for (let position = from; position < to; ) {
        const until = await orAborted(this.#readableUntil(position, to), signal);
        for await (const chunk of await this.#open({ from: position, to: until }, { signal })) {
          position += chunk.length;
          yield chunk;
        }
      }
      if (!this.#isVerified) await orAborted(this.done, signal);
    } finally {
      release();
    }
  }

  /** Resolves when there is something after `position`, which is not the last byte of all. */
  async #readableUntil(position: number, to: number): Promise<number> {
    for (;;) {
      if (this.#isDone && !this.#isVerified) await this.done;
      if (this.#isDone || this.#isVerified) return to;
      const until = Math.min(this.#upload?.size ?? 0, to - 1);
      if (until > position) return until;
      await this.#progress.promise;
    }
  }

  async #open(range: { from: number; to: number }, { signal }: Call): Promise<Bytes> {
    const { cache } = this.#parts;
    const { digest, place } = this.#wanted;
    if (!this.#isDone && this.#upload !== undefined) {
      try {
        const path = uploadDataPath(place.repository, this.#upload.id);
        return await cache.storage.read(path, { ...range, signal });
      } catch (error) {
        if (!(error instanceof StorageError && error.code === "NOT_FOUND")) throw error;
        await orAborted(
          this.done.catch(() => {}),
          signal,
        ); // it gets its name, or is given up
      }
    }
    const blob = await cache.store.blobs.find(place.repository, digest, { signal });
    if (blob !== undefined) return await blob.open(range, { signal });
    await this.done;
    throw new OciError("UNAVAILABLE", "the blob was taken out of the mirror while it was read");
  }

  async #run(): Promise<void> {
    const { cache, call } = this.#parts;
    const { digest, place, expectedSize } = this.#wanted;
    const release = cache.pin(digest);
    let room = () => {};
    try {
      room = await cache.makeRoom(expectedSize ?? 0, call);
      await this.#fetch();
      cache.used(digest, this.#knownSize ?? 0, { repository: place.repository, kind: "blob" });
    } catch (error) {
      await this.#drop();
      throw error;
    } finally {
      this.#isDone = true;
      this.#progress.fire();
      room();
      release();
    }
  }

  /** Of what another repository has brought, only the name is missing: if it may have it as well. */
  async #mountStored(): Promise<boolean> {
    const { cache, call } = this.#parts;
    const { digest, place } = this.#wanted;
    // Another download of it may have ended since it was looked for.
    const own = await cache.store.blobs.find(place.repository, digest, call);
    if (own !== undefined) {
      this.#learn(own.size);
      return true;
    }
    const file = await cache.storage.stat(blobDataPath(digest), call);
    if (file === undefined) return false;
    const found = await place.upstream.ask(call, (client) =>
      client.statBlob(place.remote, digest, call),
    );
    if (found === undefined) return false;
    this.#learn(file.size);
    return await cache.store.blobs.mount(place.repository, digest, { ...call, from: undefined });
  }

  async #fetch(): Promise<void> {
    const { cache, call } = this.#parts;
    const { digest, place } = this.#wanted;
    const { uploads } = cache.store;
    if (await this.#mountStored()) return;
    for (let attempt = 1; ; attempt++) {
      const before = this.#upload?.size;
      try {
        await this.#receive();
        break;
      } catch (error) {
        if (isFull(error) && (await cache.giveWay(this.#knownSize ?? 0, call))) continue;
        const waitMs = this.#upload?.size ? waitBefore(attempt, error) : undefined;
        if (waitMs === undefined || attempt === maximumAttempts) throw this.#asUnavailable(error);
        if (this.#upload?.size !== before) attempt = 1;
        await this.#parts.clock.sleep(waitMs, call);
      }
    }
    const id = this.#upload?.id ?? "";
    try {
      // Nobody waits until the disk has it: what is lost in a power failure is fetched again.
      const verified = () => {
        this.#isVerified = true;
        this.#progress.fire();
      };
      await uploads.commit(place.repository, id, { digest, chunk: undefined, verified }, call);
    } catch (error) {
      throw this.#asUnavailable(error);
    }
  }

  /** Goes on from what is stored already. */
  async #receive(): Promise<void> {
    const { cache, call } = this.#parts;
    const { digest, place } = this.#wanted;
    const { uploads } = cache.store;
    const algorithm = algorithmOf(digest);
    this.#upload ??= await uploads.begin(place.repository, { ...call, algorithm });
    const from = this.#upload.size;
    const opened = await place.upstream.ask(call, (client) =>
      client.openBlob(place.remote, digest, { ...call, from }),
    );
    try {
      this.#learn(opened.size);
    } catch (error) {
      for await (const _chunk of opened.bytes) break; // which lets go of the connection
      throw error;
    }
    const bytes = limited(
      opened.bytes,
      (this.#knownSize ?? Number.POSITIVE_INFINITY) - opened.from,
    );
    for await (const piece of piecesOf(bytes, { skip: from - opened.from })) {
      const { id, size } = this.#upload;
      const chunk = { source: piece, at: size };
      this.#upload = await uploads.append(place.repository, id, chunk, call);
      this.#progress.fire();
      this.#progress = signalOnce();
    }
    this.#learn(this.#upload.size);
  }

  #learn(size: number | undefined): void {
    const { expectedSize, place } = this.#wanted;
    const known = this.#knownSize ?? expectedSize;
    if (size === undefined) return;
    if (known !== undefined && known !== size) {
      const why = `${place.upstream.name} gives ${size} bytes where ${known} were promised`;
      throw new OciError("UNAVAILABLE", why, { status: 502 });
    }
    this.#knownSize = size;
    this.#sizeKnown(size);
  }

  async #drop(): Promise<void> {
    if (this.#upload === undefined) return;
    const { cache } = this.#parts;
    // Not by our call, which may be why it ends; and a failure to clean up is not the failure.
    const call = { signal: AbortSignal.timeout(10_000) };
    const { repository, id } = this.#upload;
    await cache.store.uploads.cancel(repository, id, call).catch(() => {});
  }

  /** That the bytes are not what they should be is not our client's fault. */
  #asUnavailable(error: unknown): unknown {
    const { name } = this.#wanted.place.upstream;
    const isWrong =
      error instanceof BytesError || (error instanceof OciError && error.code === "DIGEST_INVALID");
    if (!isWrong && !(error instanceof HttpError)) return error;
    const why = isWrong ? "gives other bytes than it should" : "broke off";
    const details = { cause: error, status: 502, hint: "try again; the log says what failed" };
    return new OciError("UNAVAILABLE", `${name} ${why}`, details);
  }
}

/** How long to wait until a transfer that was cut off may go on; `undefined` when it may not. */
function waitBefore(attempt: number, error: unknown): number | undefined {
  if (error instanceof HttpError) return backoffMs(backoff, attempt);
  if (!(error instanceof OciError)) return undefined;
  const { retryAfterMs = Number.POSITIVE_INFINITY } = error;
  return retryAfterMs <= longestWaitMs ? retryAfterMs : undefined;
}

function isFull(error: unknown): boolean {
  return error instanceof StorageError && error.code === "NO_SPACE";
}

function signalOnce(): { promise: Promise<void>; fire(): void } {
  let fire = () => {};
  const promise = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}
