import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { syncDirectory, writeFileWhole } from "../../base/atomic-file.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { statsOf } from "../../base/path-stats.ts";
import { parse } from "../../base/schema.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";

const fileName = "image.json";

const ReleaseImage = v.object({
  tag: v.string(),
  /** `host/repository@sha256:…` */
  reference: v.string(),
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value), "is no digest"),
});

/** The image of one release: what its directory holds, as `image.json`. */
export type ReleaseImage = v.InferOutput<typeof ReleaseImage>;

/** Makes the directory of a release whole, or not at all. */
export async function writeReleaseImage(directory: string, image: ReleaseImage): Promise<void> {
  const draft = join(dirname(directory), `.${basename(directory)}.draft`);
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  try {
    await writeFileWhole(join(draft, fileName), `${JSON.stringify(image, undefined, 2)}\n`);
    await rename(draft, directory);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await syncDirectory(dirname(directory));
}

/** Whether it is the directory of a release whose artifact is an image. */
export async function holdsImage(directory: string): Promise<boolean> {
  return (await statsOf(join(directory, fileName))) !== undefined;
}

/** `undefined` for a directory that is gone. @throws {ConfigError} for one of another kind of app */
export async function readReleaseImage(directory: string): Promise<ReleaseImage | undefined> {
  const path = join(directory, fileName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
    return undefined;
  }
  try {
    return parse(ReleaseImage, JSON.parse(text), (key) => `${path}: ${key || "it"}`);
  } catch (cause) {
    throw new ConfigError(`${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "remove that release's directory; dewy deploys it anew",
    });
  }
}
