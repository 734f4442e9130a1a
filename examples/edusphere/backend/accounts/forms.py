"""Validation of what people send about themselves."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from PIL import Image

from backend.accounts.models import User

EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}


class RegisterForm(forms.ModelForm):
    """A new account."""

    password = forms.CharField(strip=False)

    class Meta:
        model = User
        fields = ["username"]

    def clean_username(self) -> str:
        """Refuse a name that differs from a taken one by case alone."""
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError("A user with that username already exists.")
        return username

    def clean(self) -> dict[str, Any]:
        """Apply the site's password rules."""
        password = self.cleaned_data.get("password")
        if password is not None:
            try:
                validate_password(password, User(username=self.cleaned_data.get("username", "")))
            except ValidationError as problem:
                self.add_error("password", problem)
        return self.cleaned_data

    def save(self, commit: bool = True) -> User:
        """Store the account with its password hashed."""
        user: User = super().save(commit=False)
        user.set_password(self.cleaned_data["password"])
        if commit:
            user.save()
        return user


class AvatarForm(forms.Form):
    """A picture: size, real type and dimensions are checked, the client's file name and type are not believed."""

    avatar = forms.ImageField()

    def clean_avatar(self) -> UploadedFile:
        """Return the file, named after the type that its content has."""
        file: UploadedFile = self.cleaned_data["avatar"]
        image: Image.Image = file.image  # type: ignore[attr-defined]  # set by ImageField
        if (file.size or 0) > settings.AVATAR_MAX_BYTES:
            raise ValidationError(f"The picture is larger than {settings.AVATAR_MAX_BYTES // 1024} KiB.")
        if image.format not in EXTENSIONS:
            raise ValidationError(f"Use one of these types of picture: {', '.join(EXTENSIONS)}.")
        if image.width * image.height > settings.AVATAR_MAX_PIXELS:
            raise ValidationError("The picture has too many pixels.")
        try:
            file.seek(0)
            Image.open(file).load()
        except (OSError, SyntaxError, ValueError) as problem:  # what Pillow raises for broken content
            raise ValidationError("The picture is damaged.") from problem
        file.name = f"avatar.{EXTENSIONS[image.format]}"
        return file
