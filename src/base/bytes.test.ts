import { expect, it } from "vitest";
import { collect, limited, streamOf } from "./bytes.ts";

it("passes on what is within the limit", async () => {
  const bytes = await collect(limited(streamOf(Buffer.from("dewy")), 4), 4);

  expect(bytes.toString()).toBe("dewy");
});

it("fails at the first byte too many", async () => {
  await expect(collect(streamOf(Buffer.from("dewy")), 3)).rejects.toMatchObject({
    code: "TOO_LARGE",
  });
});
