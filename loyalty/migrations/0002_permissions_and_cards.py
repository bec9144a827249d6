from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('loyalty', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='contact',
            options={'ordering': ('pk',), 'permissions': (('erase_contacts', "Can erase a person's data for good"),)},
        ),
        migrations.AlterModelOptions(
            name='member',
            options={'ordering': ('pk',), 'permissions': (('edit_members', 'Can add, edit and close members'), ('move_members', 'Can move members and override their tiers by hand'))},
        ),
        migrations.AddIndex(
            model_name='member',
            index=models.Index(condition=models.Q(('card', ''), _negated=True), fields=['program', 'card'], name='members_by_card'),
        ),
    ]
