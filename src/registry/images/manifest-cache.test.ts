import { expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { ManifestCache, type StoredManifest } from "./manifest-cache.ts";

it.each([
  ["large", 4 * 1024 * 1024, 8],
  ["tiny", 1, 33_000],
])("forgets the %s manifests that were not asked for lately", (_name, size, count) => {
  const cache = new ManifestCache();
  const bytes = new Uint8Array(size);
  const made = Array.from({ length: count }, (_, index) => manifest(String(index), bytes));
  const [first, second] = [made[0] ?? manifest("", bytes), made[1] ?? manifest("", bytes)];

  for (const each of made) {
    cache.read(first.digest);
    cache.keep(each);
  }

  expect(cache.read(first.digest)).toBe(first);
  expect(cache.read(second.digest)).toBeUndefined();
});

function manifest(name: string, bytes: Uint8Array): StoredManifest {
  return { digest: digestOf(name), mediaType: "a/b", bytes };
}
