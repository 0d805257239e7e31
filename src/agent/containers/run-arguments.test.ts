import { expect, it } from "vitest";
import { valuesIn } from "./run-arguments.ts";

it("knows the values of options, however they are written", () => {
  const options = ["--env", "TOKEN=one=1", "--env=KEY=two", "-eNAME=three", "--init"];

  expect(valuesIn({ options })).toEqual(
    expect.arrayContaining(["one=1", "KEY=two", "two", "three"]),
  );
});
