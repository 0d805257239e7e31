import { existsSync, readFileSync } from "node:fs";

/** Of the package: its file is above `src/`, and above `dist/src/` once it is built. */
export function version(): string {
  const place = ["../../package.json", "../../../package.json"]
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url));
  if (!place) return "unknown";
  return (JSON.parse(readFileSync(place, "utf8")) as { version: string }).version;
}
