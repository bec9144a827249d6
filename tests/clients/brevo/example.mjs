import { BrevoClient } from "@getbrevo/brevo";

const here = process.env.TIERWRIGHT_URL ?? "http://localhost:8000";
const pid = "11111111-1111-4111-8111-111111111111"; // the uuid of Corner Shop Club
const brevo = new BrevoClient({ apiKey: process.env.API_KEY, baseUrl: `${here}/v3` });
const { items: groups } = await brevo.tier.getListOfTierGroups({ pid, version: "active" });
const { items: tiers } = await brevo.tier.getLoyaltyProgramTier({ pid, version: "active" });
for (const group of groups) {
  const own = tiers.filter((tier) => tier.groupId === group.id);
  console.log(group.name, own.map((tier) => [tier.name, tier.accessConditions[0]?.minimumValue]));
}
