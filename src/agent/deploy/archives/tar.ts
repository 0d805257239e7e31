import type { WritableStream } from "node:stream/web";
import type { ParsedTarEntry } from "modern-tar";
import type { Bytes } from "../../../base/bytes.ts";
import { messageOf, systemCodeOf } from "../../../base/errors.ts";
import { ArchiveError } from "./archive.ts";
import { refusal } from "./entry-path.ts";
import { knownEntryTypes } from "./tar-header.ts";
import type { Tree } from "./tree.ts";

type TarHeader = ParsedTarEntry["header"];

/** Writes the entries of a tar stream into `tree`. @throws {ArchiveError} */
export async function untar(source: Bytes, tree: Tree): Promise<void> {
  const { createTarDecoder } = await import("modern-tar");
  const decoder = createTarDecoder({ strict: true });
  const feeding = feed(knownEntryTypes(source), decoder.writable);
  const placing = placeAll(decoder.readable, tree);
  const [fed, placed] = await Promise.allSettled([feeding, placing]);
  const failures = [placed, fed].flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  if (failures.length > 0) throw causeAmong(failures);
}

/**
 * A decoder that was stopped makes both ends fail: ours tells why, then the system's. What is
 * neither is the decoder's own complaint.
 */
function causeAmong(failures: readonly unknown[]): unknown {
  const ours = failures.find((failure) => failure instanceof ArchiveError);
  const system = failures.find((failure) => systemCodeOf(failure) !== undefined);
  if (ours ?? system) return ours ?? system;
  const [cause] = failures;
  return new ArchiveError("DAMAGED", `it is damaged or cut short (${messageOf(cause)})`, { cause });
}

async function feed(source: Bytes, writable: WritableStream<Uint8Array>): Promise<void> {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  try {
    for await (const chunk of source) await writer.write(chunk);
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}

async function placeAll(entries: AsyncIterable<ParsedTarEntry>, tree: Tree): Promise<void> {
  let any = false;
  for await (const { header, body } of entries) {
    any = true;
    await place(header, body, tree);
  }
  if (!any) throw new ArchiveError("DAMAGED", "it has no entries");
}

async function place(header: TarHeader, body: Bytes, tree: Tree): Promise<void> {
  const { name, mtime: modifiedAt, linkname = "" } = header;
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse."))) {
    throw refusal(name, "a sparse file, packed with --sparse");
  }
  switch (header.type) {
    case "file":
      return tree.file(name, { mode: header.mode ?? 0o644, modifiedAt }, body);
    case "directory":
      return tree.directory(name, { mode: header.mode ?? 0o755, modifiedAt });
    case "symlink":
      return tree.symbolicLink(name, linkname, modifiedAt);
    case "link":
      return tree.hardLink(name, linkname);
    default:
      throw refusal(name, `it is a ${header.type}`);
  }
}
