import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AuthError, type Authenticator, type Credentials } from "./authenticator.ts";
import { basic, bearer, pullApp, visitWith } from "./visit.fake.ts";

export interface AuthenticatorExamples {
  open(): Promise<Authenticator>;
  /** What it lets in, and pull `team/app`. */
  good(): Credentials | Promise<Credentials>;
  /** What it does not, if there is such a thing. */
  bad: readonly Credentials[];
}

/** What every authenticator must do. A driver's own test calls this, then adds what only it promises. */
export function authenticatorContract(driver: string, examples: AuthenticatorExamples): void {
  describe(`${driver} is an Authenticator`, () => {
    let authenticator: Authenticator;
    beforeEach(async () => {
      authenticator = await examples.open();
    });
    afterEach(() => authenticator.close());

    it("knows who shows what it takes, the second time as well", async ({ signal }) => {
      const credentials = await examples.good();

      for (let time = 0; time < 2; time++) {
        const grant = await authenticator.identify(credentials, visitWith(credentials), { signal });
        expect(grant.user).toEqual(expect.any(String));
        expect(grant.allows(pullApp)).toBe(true);
      }
    });

    it("refuses everything else in the same words", async ({ signal }) => {
      for (const credentials of examples.bad) {
        const answer = await authenticator
          .identify(credentials, visitWith(credentials), { signal })
          .catch((error: unknown) => error);
        expect(answer).toBeInstanceOf(AuthError);
        expect(answer).toMatchObject({ code: "CREDENTIALS_REFUSED" });
      }
    });

    it("says how to get in, and nothing of what was shown", () => {
      const shown = [basic("eve", "hunter22"), bearer("hunter22"), undefined];

      for (const credentials of shown) {
        const challenge = authenticator.challenge(visitWith(credentials), "CREDENTIALS_NEEDED");
        expect(["basic", "bearer"]).toContain(challenge.scheme);
        expect(challenge.parameters.realm).toBeTruthy();
        expect(JSON.stringify(challenge)).not.toContain("hunter22");
      }
    });
  });
}
