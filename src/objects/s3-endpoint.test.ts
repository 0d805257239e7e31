import { expect, it } from "vitest";
import { s3EndpointIn } from "./s3-endpoint.ts";

const variables = { AWS_ENDPOINT_URL_S3: "http://s3.local", AWS_ENDPOINT_URL: "http://all.local" };

it.each([
  ["https://given.local", variables, "https://given.local/"],
  [undefined, variables, "http://s3.local/"],
  [
    undefined,
    { AWS_ENDPOINT_URL_S3: "", AWS_ENDPOINT_URL: "http://all.local" },
    "http://all.local/",
  ],
  [undefined, {}, undefined],
])("takes what is nearest: %s before %j", (given, environment, expected) => {
  expect(s3EndpointIn("--registry: endpoint", given, environment)?.href).toBe(expected);
});

it.each([
  ["ftp://host", {}, "--cache: endpoint"],
  [undefined, { AWS_ENDPOINT_URL: "https://user:hunter2@host" }, "AWS_ENDPOINT_URL"],
])("names what is no endpoint, and does not show it: %s", (given, environment, name) => {
  const open = () => s3EndpointIn("--cache: endpoint", given, environment);

  expect(open).toThrow(`${name}: this is not an http or https URL`);
  expect(open).not.toThrow("hunter2");
});
