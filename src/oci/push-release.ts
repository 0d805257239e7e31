import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Bytes } from "../base/bytes.ts";
import { streamOf } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { ConfigError, messageOf } from "../base/errors.ts";
import type { OciClient } from "./client.ts";
import { type Digest, endDigest } from "./digest.ts";
import { isRepository, isTag } from "./reference.ts";
import {
  buildRelease,
  emptyConfig,
  type ReleaseFile,
  type ReleasePlatform,
  tagFor,
  versionFor,
} from "./release-artifact.ts";

export interface PushFile {
  path: string;
  /** What it is called in the release, without a directory. */
  name: string;
  platform?: ReleasePlatform | undefined;
}

export interface PushRequest {
  repository: string;
  /** A version, with `+` or `_` before build metadata. */
  tag: string;
  files: readonly PushFile[];
  created: Date;
}

export type PushStep = "present" | "pushing" | "pushed";

export interface PushProgress {
  /** Told of each file: already there, so many bytes sent, or done. */
  onProgress?: (name: string, step: PushStep, sentBytes: number, sizeBytes: number) => void;
}

export interface PushedRelease {
  /** Of what the tag now points at. */
  digest: Digest;
  /** As it was written. */
  tag: string;
}

/**
 * Pushes files as one release. The tag comes last, so a push that breaks off leaves no release.
 *
 * @throws {ConfigError} for a bad name or an unreadable file, before anything is sent
 */
export async function pushRelease(
  client: OciClient,
  request: PushRequest,
  { onProgress }: PushProgress,
  call: Call,
): Promise<PushedRelease> {
  const { repository, created } = request;
  const tag = checkedTag(request);
  const measured: (ReleaseFile & { path: string })[] = [];
  for (const file of request.files) measured.push(await measure(file, call));

  for (const { path, name, digest, sizeBytes } of measured) {
    const report = (step: PushStep, sent: number) => onProgress?.(name, step, sent, sizeBytes);
    if (await client.hasBlob(repository, digest, call)) {
      report("present", 0);
      continue;
    }
    const source = { digest, sizeBytes, open: (): Bytes => createReadStream(path) };
    const progress = (sent: number) => report("pushing", sent);
    await client.pushBlob(repository, source, { ...call, progress });
    report("pushed", sizeBytes);
  }

  await pushEmptyConfig(client, repository, call);
  const { children, top } = buildRelease(measured, { version: versionFor(tag), created });
  for (const child of children) {
    await client.pushManifest(repository, child.digest, child, call);
  }
  return { digest: await client.pushManifest(repository, tag, top, call), tag };
}

/** What manifests without a config of their own name as theirs. */
export async function pushEmptyConfig(
  client: OciClient,
  repository: string,
  call: Call,
): Promise<void> {
  const { digest, size: sizeBytes } = emptyConfig;
  if (await client.hasBlob(repository, digest, call)) return;
  const source = { digest, sizeBytes, open: () => streamOf(Buffer.from("{}")) };
  await client.pushBlob(repository, source, call);
}

async function measure(file: PushFile, { signal }: Call) {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  await checkRegular(file.path);
  try {
    for await (const chunk of createReadStream(file.path, { signal }) as Bytes) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new ConfigError(`cannot read ${file.path}: ${messageOf(error)}`, {
      cause: error,
      hint: "check the path and its permissions",
    });
  }
  const { path, name, platform } = file;
  if (sizeBytes === 0) throw unfit(path, "it is empty");
  return { path, name, platform, sizeBytes, digest: endDigest("sha256", hash) };
}

/** A directory has no bytes of its own, and a device no end of them. */
async function checkRegular(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined); // reading it tells what is wrong
  if (stats && !stats.isFile()) throw unfit(path, "it is not a regular file");
}

function unfit(path: string, why: string): ConfigError {
  return new ConfigError(`cannot push ${path}: ${why}`, {
    hint: "name an archive or an executable file",
  });
}

function checkedTag({ repository, tag, files }: PushRequest): string {
  if (!isRepository(repository)) {
    throw new ConfigError(`not a repository name: ${repository || "(nothing)"}`, {
      hint: "use lower-case letters, digits, and . _ - / between them",
    });
  }
  if (!isTag(tagFor(tag))) {
    throw new ConfigError(`not a tag: ${tag || "(nothing)"}`, {
      hint: "use a version such as v1.2.3 or v1.2.3+blue",
    });
  }
  if (files.length === 0) {
    throw new ConfigError("there is no file to push", { hint: "name at least one file" });
  }
  const keys = files.map(({ name, platform }) => `${name} ${JSON.stringify(platform ?? "")}`);
  const double = files.find((_file, place) => keys.indexOf(keys[place] ?? "") !== place);
  if (double) {
    throw new ConfigError(`two files are called ${double.name}`, {
      hint: "rename one of them, or push them for different platforms",
    });
  }
  return tagFor(tag);
}
