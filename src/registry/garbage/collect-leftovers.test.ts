import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { blobDataPath, layerLinkPath } from "../images/paths.ts";
import { call } from "../images/pushed-image.fake.ts";
import { openCollectedStore, pushManifest } from "./collected-store.fake.ts";

it("removes directories in which whoever was killed left nothing, and no others", async () => {
  const { store, directory, collect } = await openCollectedStore();
  const whole = await pushManifest(store, "a", { tag: "v1", layers: ["whole"] });
  const blob = join(directory, blobDataPath(digestOf("killed")), "..");
  const link = join(directory, layerLinkPath("a", digestOf("killed")), "..");
  const used = join(directory, blobDataPath(digestOf("used")), "..");
  for (const each of [blob, link, join(used, "whose")]) await mkdir(each, { recursive: true });

  await collect({ dryRun: true });
  expect([blob, link, used].filter(existsSync)).toHaveLength(3);

  const { totals } = await collect();
  expect([blob, link, used].filter(existsSync)).toEqual([used]);
  expect(totals).toMatchObject({ blobs: 0, layerLinks: 0, problems: 0 });
  expect(await store.manifests.read("a", whole, call)).toBeDefined();
  expect(await store.blobs.find("a", digestOf("whole"), call)).toBeDefined();
});
