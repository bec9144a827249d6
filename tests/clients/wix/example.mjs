import { ApiKeyStrategy, createClient } from "@wix/sdk";
import * as tiers from "@wix/auto_sdk_loyalty_tiers";

const here = process.env.TIERWRIGHT_URL ?? "http://localhost:8000";
const siteId = "22222222-2222-4222-8222-222222222222"; // the uuid of Lakeside Store
const wix = createClient({
  modules: { tiers },
  auth: ApiKeyStrategy({ apiKey: process.env.API_KEY, siteId }),
  fetch: (url, options) => fetch(url.replace("https://www.wixapis.com", here), options),
});
const { tiers: listed } = await wix.tiers.listTiers();
console.log(listed.map((tier) => [tier.tierDefinition.name, tier.requiredPoints]));
