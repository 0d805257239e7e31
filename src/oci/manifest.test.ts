import { expect, it } from "vitest";
import { digestOf } from "./digest.ts";
import { parseManifest } from "./manifest.ts";

const config = { mediaType: "a/b", digest: digestOf("x"), size: 1 };

it.each([
  [{ config, layers: null, annotations: null, subject: null }, { layers: [] }],
  [{ config: { ...config, urls: null, annotations: null, platform: null }, layers: [] }, {}],
  [{ manifests: null }, { manifests: [] }],
])("takes null for what was not set: %j", (fields, content) => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...fields }));

  expect(parseManifest(bytes).content).toMatchObject(content);
});

it.each([
  ["[".repeat(100_000) + "]".repeat(100_000), "not a JSON object"],
  [JSON.stringify({ schemaVersion: 2, config }), "layers"],
  [JSON.stringify({ schemaVersion: 2, config, layers: [], manifests: [] }), "no config or layers"],
  [JSON.stringify({ schemaVersion: 1 }), "long gone"],
])("refuses %.60s", (text, message) => {
  expect(() => parseManifest(Buffer.from(text))).toThrow(message);
});
