import { DewyError } from "../../base/errors.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { kindOf } from "./archives/kind.ts";
import { contentBytesOf } from "./archives/zip.ts";

const usualRatio = 3;

/**
 * What an artifact will take when it is unpacked: as a zip says that is there, else as the releases
 * before it did, else three times its size. One that was much smaller tells nothing: each of its files
 * took a block of the disk at least.
 */
export async function expansionOf(
  { name, sizeBytes, path }: { name: string; sizeBytes: number; path?: string },
  { releases }: Readonly<LedgerState>,
): Promise<number> {
  const form = formOf(name);
  if (form === "zip" && path !== undefined) {
    const told = await contentBytesOf(path).catch(() => undefined);
    if (told !== undefined) return told;
  }
  if (form === "plain") return sizeBytes;
  const ratios = releases.flatMap(({ artifact, artifactBytes, unpackedBytes }) =>
    formOf(artifact) === form && artifactBytes && unpackedBytes && artifactBytes * 4 > sizeBytes
      ? [unpackedBytes / artifactBytes]
      : [],
  );
  return Math.ceil(sizeBytes * (ratios.length > 0 ? Math.max(...ratios) : usualRatio));
}

/** How it is compressed, as far as its name tells. */
function formOf(name: string): string {
  try {
    const kind = kindOf(name);
    return kind.form === "zip" ? "zip" : (kind.compression ?? "plain");
  } catch (error) {
    if (error instanceof DewyError) return "plain";
    throw error;
  }
}
