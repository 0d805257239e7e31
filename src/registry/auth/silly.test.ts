import { expect, it } from "vitest";
import { authenticatorContract } from "./authenticator.contract.ts";
import { openSilly } from "./silly.ts";
import { basic, pullApp, pushApp, visitWith } from "./visit.fake.ts";

const options = { realm: "r", service: "s" };

authenticatorContract("silly", {
  open: async () => openSilly(options),
  good: () => basic("anybody", ""),
  bad: [],
});

it("asks for a token that covers what is wished", () => {
  const visit = visitWith(undefined, { wishes: [pullApp, pushApp] });

  expect(openSilly(options).challenge(visit, "CREDENTIALS_NEEDED").parameters).toEqual({
    realm: "r",
    service: "s",
    scope: "repository:team/app:pull,push",
  });
});
