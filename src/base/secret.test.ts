import { expect, it } from "vitest";
import { basic } from "./http-client.ts";
import { concealed, Secret } from "./secret.ts";

it.each([
  ["the header", "you sent Basic dXNlcjpwYXNzd29yZA=="],
  ["the password", 'no user with password "password"'],
  ["both, as a pair", "user:password is unknown"],
])("conceals %s of basic authentication", (_what, text) => {
  const shown = concealed(text, [basic("user", "password")]);

  expect(shown).toContain("***");
  expect(shown).not.toMatch(/dXNlcjpwYXNzd29yZA|:password|"password"/);
});

it("conceals a token with and without its scheme", () => {
  const secrets = [new Secret("Bearer ghp_token")];

  expect(concealed("Bearer ghp_token, ghp_token", secrets)).toBe("Bearer ***, ***");
});

it("leaves other words alone, and does not take a letter for a secret", () => {
  expect(concealed("a bad day", [new Secret("a"), new Secret("")])).toBe("a bad day");
});
