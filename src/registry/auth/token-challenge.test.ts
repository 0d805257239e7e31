import { describe, expect, it } from "vitest";
import type { Wish } from "./authenticator.ts";
import { tokenStage as stage } from "./token.fake.ts";
import { basic, bearer, pullApp, pushApp, visitWith } from "./visit.fake.ts";

describe("the challenge for a token", () => {
  it.each([
    ["nothing was shown", undefined, "CREDENTIALS_NEEDED", undefined],
    ["a password was shown", basic("a", "b"), "CREDENTIALS_REFUSED", undefined],
    ["a bad token was shown", bearer("x"), "CREDENTIALS_REFUSED", "invalid_token"],
    ["the token is too small", bearer("x"), "CREDENTIALS_INSUFFICIENT", "insufficient_scope"],
  ] as const)("says what is wrong when %s", async (_what, credentials, reason, error) => {
    const { authenticator } = await stage();

    const { parameters } = authenticator.challenge(visitWith(credentials), reason);

    expect(parameters).toEqual({
      realm: "https://auth.test/token",
      service: "registry.test",
      scope: "repository:team/app:pull",
      error,
    });
  });

  it("names no scope where nothing is wished, and several with a space", async () => {
    const { authenticator } = await stage();
    const other: Wish = { type: "repository", name: "b", action: "pull" };
    const scopeFor = (wishes: Wish[]) =>
      authenticator.challenge(visitWith(undefined, { wishes }), "CREDENTIALS_NEEDED").parameters
        .scope;

    expect(scopeFor([])).toBeUndefined();
    expect(scopeFor([pullApp, pushApp, other])).toBe(
      "repository:team/app:pull,push repository:b:pull",
    );
  });

  it("leads to the host that was asked, when it is to", async () => {
    const { authenticator } = await stage({ options: { autoredirect: true } });
    const realmFor = (origin: string | undefined) =>
      authenticator.challenge(visitWith(undefined, { origin: () => origin }), "CREDENTIALS_NEEDED")
        .parameters.realm;

    expect(realmFor("https://r.test:5000")).toBe("https://r.test:5000/auth/token");
    expect(realmFor(undefined)).toBe("https://auth.test/token");
  });
});
