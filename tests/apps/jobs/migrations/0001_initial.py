"""The tables, and the one counter."""

from django.db import migrations, models

KEY = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    """The first one."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel("Row", [KEY, ("key", models.CharField(max_length=100, unique=True))]),
        migrations.CreateModel(
            "Attempt",
            [
                KEY,
                ("key", models.CharField(db_index=True, max_length=100)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel("Counter", [KEY, ("value", models.IntegerField(default=0))]),
        migrations.RunSQL("INSERT INTO jobs_counter (id, value) VALUES (1, 0)"),
    ]
