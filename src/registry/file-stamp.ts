import { stat } from "node:fs/promises";
import { systemCodeOf } from "../base/errors.ts";

/** A text that is another one when any of the files may have changed, has appeared or is gone. */
export async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(paths.map(stampOfOne));
  return stamps.join(" ");
}

async function stampOfOne(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch (error) {
    return systemCodeOf(error) ?? "unknown";
  }
}
