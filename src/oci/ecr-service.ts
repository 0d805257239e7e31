/** Where tokens for a registry of Amazon's are to be had. */
export interface EcrService {
  /** As it is signed for. */
  name: "ecr" | "ecr-public";
  region: string;
  endpoint: string;
  /** The operation, in the words of its protocol. */
  target: string;
  /** Whether anybody may pull. */
  isPublic: boolean;
}

/** `account.dkr.ecr[-fips].region.amazonaws.com[.cn]`, or `account.dkr-ecr[-fips].region.on.aws`. */
const hostPattern =
  /^\d{12}\.dkr[.-]ecr(-fips)?\.([a-z0-9][a-z0-9-]*)\.(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn)$/;

const apiDomains: Record<string, string | undefined> = {
  "on.aws": "api.aws",
  "on.amazonwebservices.com.cn": "api.amazonwebservices.com.cn",
};

/** `undefined` for a host that is not Amazon's (Amazon ECR, "endpoints and quotas"). */
export function ecrServiceOf(host: string): EcrService | undefined {
  if (host === "public.ecr.aws") {
    return {
      name: "ecr-public",
      region: "us-east-1",
      endpoint: "https://api.ecr-public.us-east-1.amazonaws.com/",
      target: "SpencerFrontendService.GetAuthorizationToken",
      isPublic: true,
    };
  }
  const [, fips = "", region, domain] = hostPattern.exec(host) ?? [];
  if (region === undefined || domain === undefined) return undefined;
  const dual = apiDomains[domain];
  const prefix = dual || fips ? `ecr${fips}` : "api.ecr";
  return {
    name: "ecr",
    region,
    endpoint: `https://${prefix}.${region}.${dual ?? domain}/`,
    target: "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    isPublic: false,
  };
}
