import { expect, it } from "vitest";
import { emptyListing } from "./nft-listing.ts";
import { scriptOf } from "./nft-table.ts";

it("guards the loopback on each way to it that is open, also when nobody is served there", () => {
  const content = {
    ...{ ports: [80], serving: [], leaving: [], gone: [], networks: [] },
    opened: ["docker0"],
  };

  const script = scriptOf({ name: "dewy_web", directory: "/srv/web/.dewy" }, content, emptyListing);

  expect(script).toContain('opened { "docker0" }');
  expect(script).toContain("guard ip daddr 127.0.0.0/8 iifname @opened drop");
});
