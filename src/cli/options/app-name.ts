import { basename } from "node:path";

const longestName = 128;

/**
 * What an app is called when nobody says: `ghr://linyows/myapp` is `myapp`. Where the place is a
 * server and no more, as with gRPC, the directory's name has to do.
 */
export function appNameOf(registry: string, directory: string): string {
  const [, scheme = "", place = ""] = /^([^:]+):\/\/([^?#]*)/.exec(registry) ?? [];
  const pieces = place.split("/").filter(Boolean);
  const last = pieces.at(-1) ?? "";
  const isServer = scheme.toLowerCase() === "grpc" || /@/.test(last);
  const piece = isServer ? "" : pieces.length > 1 ? last.replace(/:[^:]*$/, "") : last;
  return plain(piece) || plain(basename(directory)) || "app";
}

/** As `--name` would have to be written. */
function plain(text: string): string {
  return text
    .replace(/[^\w.-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, longestName);
}
