"""Give standings that were judged before what they are counted as, and add it up."""

from django.db import migrations
from django.db.models import Count


def count(apps, schema_editor):
    Standing = apps.get_model("tiers", "Standing")
    Tier = apps.get_model("tiers", "Tier")
    held = Standing.objects.filter(member__status="ACTIVE", tier__isnull=False)
    counted = dict(held.order_by().values_list("tier").annotate(Count("pk")))
    for tier, customers in counted.items():
        Standing.objects.filter(
            pk__in=held.filter(tier=tier).values("pk")
        ).update(counted_as=tier)
        Tier.objects.filter(pk=tier).update(holders=customers)


def forget(apps, schema_editor):
    apps.get_model("tiers", "Standing").objects.update(counted_as=None)
    apps.get_model("tiers", "Tier").objects.update(holders=0)


class Migration(migrations.Migration):

    dependencies = [("tiers", "0004_ruleset_keys_and_limits")]

    operations = [migrations.RunPython(count, forget)]
