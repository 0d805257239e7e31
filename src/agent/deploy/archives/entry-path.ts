import { ArchiveError } from "./archive.ts";

const componentBytes = 255;

/**
 * The components of an entry's name, none of which leads out of the directory; none at all for the
 * directory itself (`./`).
 *
 * @throws {ArchiveError} `REFUSED`, naming the entry
 */
export function parseEntryPath(name: string, pathBytes: number): string[] {
  if (name === "") throw refusal(name, "it has no name");
  if (name.startsWith("/")) throw refusal(name, "its name is absolute");
  if (name.includes("\0")) throw refusal(name, "its name holds a zero byte");
  if (name.includes("\ufffd")) throw refusal(name, "its name is not UTF-8");
  if (Buffer.byteLength(name) > pathBytes) throw refusal(name, "its name is too long");
  const components = name.split("/").filter((part) => part !== "" && part !== ".");
  if (components.includes("..")) throw refusal(name, "its name leads out of the directory");
  if (components.some((part) => Buffer.byteLength(part) > componentBytes)) {
    throw refusal(name, "its name is too long");
  }
  return components;
}

/**
 * Checks that a symbolic link at `components` cannot lead out, whatever the other links are.
 *
 * A target may climb (`../..`) only at its beginning, and not above the top. What follows only goes
 * down, through directories or through links for which the same is true; so by induction nothing
 * leaves. A target such as `a/../b` is refused, because `a` may be a link to somewhere shallower.
 *
 * @throws {ArchiveError} `REFUSED`, naming the entry
 */
export function checkLinkTarget(components: readonly string[], target: string): void {
  const name = components.join("/");
  const shown = `symbolic link to ${shorten(target)}`;
  if (target === "" || target.includes("\0")) throw refusal(name, "a symbolic link to nothing");
  if (target.startsWith("/")) throw refusal(name, `a ${shown}, which is absolute`);
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const firstDown = parts.findIndex((part) => part !== "..");
  const climbs = firstDown === -1 ? parts.length : firstDown;
  if (climbs > components.length - 1 || parts.slice(climbs).includes("..")) {
    throw refusal(name, `a ${shown}, which may lead out of the directory`);
  }
}

export function refusal(name: string, reason: string): ArchiveError {
  return new ArchiveError("REFUSED", `entry ${shorten(name)}: ${reason}`, {
    hint: "pack the archive without that entry, and release it again",
  });
}

function shorten(text: string): string {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return JSON.stringify(shown);
}
