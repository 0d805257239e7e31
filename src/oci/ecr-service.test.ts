import { expect, it } from "vitest";
import { ecrServiceOf } from "./ecr-service.ts";

it.each([
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com"],
  [
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "cn-north-1",
    "api.ecr.cn-north-1.amazonaws.com.cn",
  ],
  [
    "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    "us-gov-west-1",
    "ecr-fips.us-gov-west-1.amazonaws.com",
  ],
  ["123456789012.dkr-ecr.us-west-2.on.aws", "us-west-2", "ecr.us-west-2.api.aws"],
  ["public.ecr.aws", "us-east-1", "api.ecr-public.us-east-1.amazonaws.com"],
])("asks for %s in %s at %s", (host, region, endpoint) => {
  expect(ecrServiceOf(host)).toMatchObject({ region, endpoint: `https://${endpoint}/` });
});

it.each([
  ["ghcr.io"],
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.test"],
  ["evil.test.123456789012.dkr.ecr.eu-west-1.amazonaws.com"],
  ["12345.dkr.ecr.eu-west-1.amazonaws.com"],
  ["123456789012.dkr.ecr.eu-west-1.evil.test"],
  ["123456789012.dkr.ecr.a/b.amazonaws.com"],
  ["public.ecr.aws.evil.test"],
  ["123456789012.dkr.ecr.eu-west-1.amazonaws.com:8443"],
])("sends no credential of Amazon's to %s", (host) => {
  expect(ecrServiceOf(host)).toBeUndefined();
});
